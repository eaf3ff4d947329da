//! Which names say that a secret is behind them: of options, of environment variables, of keys and headers.

/// What the value behind a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Nothing to hide.
    Ordinary,
    /// A secret, if it looks as if chance had made it: `key`, `session`.
    IfRandom,
    /// A secret, unless it is a path or a choice: `auth`, `pass`, `private-key`.
    Likely,
    /// A secret whatever it looks like: `password`, `token`.
    Secret,
}

/// Words that name a secret wherever they stand in a name.
const SECRET: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passwort",
    "kennwort",
    "motdepasse",
    "contrasena",
    "senha",
    "secret",
    "token",
    "apikey",
    "jwt",
    "bearer",
    "psk",
    "mnemonic",
    "requirepass",
    "masterauth",
    "storepass",
    "keypass",
    "accesskey",
    "secretkey",
    "privatekey",
    "sharedkey",
    "accountkey",
    "sharedaccesskey",
    "sharedaccesssignature",
];

/// Ends of words that are written as one: `pgpassword`, `authtoken`.
const SECRET_ENDS: &[&str] =
    &["password", "passwd", "passphrase", "passcode", "secret", "token", "apikey", "secretkey", "accesskey"];

/// Words that name a secret only as a name's last.
const LIKELY: &[&str] = &["pass", "pwd", "auth", "cred", "creds", "credential", "credentials", "otp", "pin", "dsn"];
/// Their ends.
const LIKELY_ENDS: &[&str] = &["pass", "pwd"];

/// What makes a key secret when it stands before `key`.
const KEYS: &[&str] = &[
    "api",
    "access",
    "secret",
    "private",
    "encryption",
    "encrypt",
    "decryption",
    "master",
    "signing",
    "sign",
    "account",
    "shared",
    "auth",
    "storage",
    "session",
    "service",
    "app",
    "application",
    "license",
    "licence",
    "admin",
    "hmac",
    "root",
    "unseal",
    "recovery",
    "subscription",
    "integration",
    "routing",
    "write",
    "deploy",
];

/// Last words of names whose value chance has made, when it is a secret.
const IF_RANDOM: &[&str] =
    &["key", "salt", "seed", "cookie", "session", "sessionid", "sid", "license", "sig", "signature", "pat", "hmac"];

/// Last words of names that are about a secret, and have none: `password-file`, `secret-name`, `token-ttl`.
const ABOUT: &[&str] = &[
    "age",
    "alg",
    "algo",
    "algorithm",
    "arn",
    "audience",
    "auth",
    "authentication",
    "authenticator",
    "backend",
    "bucket",
    "budget",
    "bytes",
    "cache",
    "class",
    "cmd",
    "column",
    "command",
    "config",
    "count",
    "dest",
    "dir",
    "directory",
    "disabled",
    "enable",
    "enabled",
    "encryption",
    "endpoint",
    "endpoints",
    "engine",
    "env",
    "expiration",
    "expires",
    "expiry",
    "fd",
    "field",
    "file",
    "files",
    "folder",
    "format",
    "header",
    "helper",
    "hint",
    "host",
    "id",
    "ids",
    "interval",
    "issuer",
    "keyring",
    "kind",
    "label",
    "labels",
    "len",
    "length",
    "lifetime",
    "limit",
    "location",
    "manager",
    "max",
    "method",
    "min",
    "mode",
    "mount",
    "name",
    "names",
    "namespace",
    "path",
    "paths",
    "plugin",
    "policy",
    "port",
    "program",
    "prompt",
    "prompts",
    "provider",
    "rate",
    "ref",
    "refresh",
    "required",
    "rotation",
    "rule",
    "rules",
    "scanning",
    "scope",
    "scopes",
    "server",
    "service",
    "size",
    "source",
    "src",
    "stdin",
    "store",
    "table",
    "target",
    "timeout",
    "ttl",
    "type",
    "uri",
    "url",
    "urls",
    "usage",
    "user",
    "username",
    "version",
    "volume",
];
/// Their ends, where a name is written as one word: `tokenfile`.
const ABOUT_ENDS: &[&str] = &["file", "path", "dir", "url", "stdin", "prompt"];

/// First words of options that take no value: `--no-password`, `--ask-pass`.
const SWITCHES: &[&str] =
    &["no", "ask", "prompt", "skip", "without", "allow", "require", "show", "with", "use", "disable"];

/// Headers of a request that carry a secret.
const HEADERS: &[&str] = &["authorization", "proxy-authorization", "cookie", "set-cookie"];

/// No name that is looked at is longer; of a longer one its end is.
const MAX_NAME: usize = 64;
/// Words of it that are looked at.
const MAX_WORDS: usize = 12;

/// What is behind `name`: an option without its dashes, a variable, a key.
#[must_use]
pub fn class(name: &[u8]) -> Class {
    if is_header(name) {
        return Class::Secret;
    }
    let words = words(name);
    let Some((last, before)) = words.split_last() else { return Class::Ordinary };
    let is_in = |word: &str, table: &[&str]| table.contains(&word);
    let ends_in = |word: &str, table: &[&str]| table.iter().any(|end| word.ends_with(end));
    let is_secret = words.iter().any(|word| is_in(word, SECRET) || ends_in(word, SECRET_ENDS));
    let is_switch = before.first().is_some_and(|first| is_in(first, SWITCHES));
    let is_about = is_in(last, ABOUT) || ends_in(last, ABOUT_ENDS);
    if is_switch || (is_about && (is_secret || !is_in(last, LIKELY))) {
        return Class::Ordinary;
    }
    if is_secret {
        return Class::Secret;
    }
    let is_public = words.iter().any(|word| word == "public" || word == "pub");
    if is_in(last, LIKELY) || ends_in(last, LIKELY_ENDS) && !is_in(last, &["bypass", "compass"]) {
        return Class::Likely;
    }
    let is_pair = |pair: &[String]| matches!(pair, [a, b] if b == "key" && is_in(a, KEYS));
    if !is_public && words.windows(2).any(is_pair) {
        return Class::Likely;
    }
    if !is_public && is_in(last, IF_RANDOM) { Class::IfRandom } else { Class::Ordinary }
}

/// A header that carries a secret, whatever is said in it.
#[must_use]
pub fn is_header(name: &[u8]) -> bool {
    HEADERS.iter().any(|header| name.eq_ignore_ascii_case(header.as_bytes()))
}

/// The words of a name in small letters: parted by what is no letter, and where a capital follows a small letter. Numbers at its
/// end are left out.
fn words(name: &[u8]) -> Vec<String> {
    let name = name.get(name.len().saturating_sub(MAX_NAME)..).unwrap_or(name);
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut was_small = false;
    for byte in name {
        let is_part = byte.is_ascii_alphanumeric();
        if (!is_part || (byte.is_ascii_uppercase() && was_small)) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if is_part {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
        was_small = byte.is_ascii_lowercase();
    }
    words.push(word);
    for word in &mut words {
        let kept = word.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        word.truncate(kept);
    }
    words.retain(|word| !word.is_empty());
    let first = words.len().saturating_sub(MAX_WORDS);
    words.split_off(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_names_about_them() {
        for (names, expected) in [
            (
                &[
                    "password",
                    "PGPASSWORD",
                    "MYSQL_ROOT_PASSWORD",
                    "password2",
                    "DB_PASSWORD_OLD",
                    "dbPassword",
                    "token",
                    "X-Auth-Token",
                    "AWS_SECRET_ACCESS_KEY",
                    "client-secret",
                    "clientSecret",
                    "SECRET_KEY_BASE",
                    "secretkey",
                    "api-key2-secret",
                    "spring.datasource.password",
                    "_authToken",
                    "Authorization",
                    "proxy-authorization",
                    "requirepass",
                    "PASSWD",
                    "apikey",
                ][..],
                Class::Secret,
            ),
            (
                &[
                    "pass",
                    "DB_PASS",
                    "smtppass",
                    "auth",
                    "basic-auth",
                    "REDISCLI_AUTH",
                    "api-key",
                    "private-key",
                    "PWD",
                    "API_KEY",
                ],
                Class::Likely,
            ),
            (&["key", "KEY", "session", "sig"], Class::IfRandom),
            (
                &[
                    "",
                    "tokenizer",
                    "max-tokens",
                    "password-file",
                    "PASSWORD_FILE",
                    "tokenfile",
                    "secret-name",
                    "token-ttl",
                    "password-stdin",
                    "token-auth",
                    "api-key-id",
                    "no-password",
                    "ask-pass",
                    "PasswordAuthentication",
                    "password-store",
                    "AWS_ACCESS_KEY_ID",
                    "public-key",
                    "user",
                    "compass",
                    "keyspace",
                    "monkey",
                    "author",
                    "passive",
                ],
                Class::Ordinary,
            ),
        ] {
            for name in names {
                assert_eq!(class(name.as_bytes()), expected, "{name}");
            }
        }
    }
}
