//! Secrets that are known by what they look like, whatever stands before them: tokens of known makers, URLs with a password,
//! private keys.

use std::sync::LazyLock;

use crate::redact::span::Spans;

/// A maker's token: how it starts, what it is made of, and how many such bytes follow at least.
struct Token {
    start: &'static str,
    of: fn(u8) -> bool,
    least: usize,
    /// Where it may start: only where a word does, because the start is short.
    at_word: bool,
}

const fn token(start: &'static str, of: fn(u8) -> bool, least: usize) -> Token {
    Token { start, of, least, at_word: false }
}

const fn word(start: &'static str, of: fn(u8) -> bool, least: usize) -> Token {
    Token { start, of, least, at_word: true }
}

/// The list. A maker's documentation of the shape, or a token of its own, is where each comes from.
const TOKENS: &[Token] = &[
    // GitHub, GitLab
    token("github_pat_", is_word, 16),
    word("ghp_", is_word, 16),
    word("gho_", is_word, 16),
    word("ghu_", is_word, 16),
    word("ghs_", is_word, 16),
    word("ghr_", is_word, 16),
    token("glpat-", is_url, 12),
    token("gldt-", is_url, 12),
    token("glrt-", is_url, 12),
    token("glptt-", is_url, 12),
    token("glcbt-", is_url, 12),
    // Slack
    token("xoxb-", is_url, 10),
    token("xoxp-", is_url, 10),
    token("xoxa-", is_url, 10),
    token("xoxr-", is_url, 10),
    token("xoxs-", is_url, 10),
    token("xoxe.", is_url, 10),
    token("xoxe-", is_url, 10),
    token("xapp-", is_url, 10),
    token("hooks.slack.com/services/", is_path, 8),
    // Amazon, Google, Azure
    word("AKIA", is_capital, 16),
    word("ASIA", is_capital, 16),
    word("ABIA", is_capital, 16),
    word("ACCA", is_capital, 16),
    word("AIza", is_url, 30),
    word("ya29.", is_url, 20),
    token("GOCSPX-", is_url, 20),
    // Payment, mail, messages
    token("sk_live_", is_word, 10),
    token("sk_test_", is_word, 10),
    token("rk_live_", is_word, 10),
    token("rk_test_", is_word, 10),
    token("whsec_", is_base64, 20),
    word("sq0csp-", is_url, 20),
    word("sq0atp-", is_url, 20),
    word("SG.", is_url, 40),
    token("xkeysib-", is_url, 20),
    token("/api/webhooks/", is_path, 20),
    // Models
    word("sk-ant-", is_url, 16),
    word("sk-proj-", is_url, 16),
    word("sk-", is_word, 32),
    word("hf_", is_word, 30),
    // Registries and packages
    token("dckr_pat_", is_url, 10),
    token("dckr_oat_", is_url, 10),
    word("npm_", is_word, 30),
    token("pypi-", is_url, 40),
    token("rubygems_", is_word, 40),
    // Clouds and tools
    token("dop_v1_", is_word, 30),
    token("doo_v1_", is_word, 30),
    token("dor_v1_", is_word, 30),
    word("hvs.", is_url, 20),
    word("hvb.", is_url, 20),
    word("hvr.", is_url, 20),
    word("dapi", is_hex, 32),
    token("tskey-", is_url, 12),
    token("shpat_", is_word, 20),
    token("shpss_", is_word, 20),
    token("shpca_", is_word, 20),
    token("glsa_", is_word, 20),
    word("glc_", is_base64, 20),
    token("NRAK-", is_word, 20),
    token("pscale_tkn_", is_url, 20),
    token("pscale_pw_", is_url, 20),
    token("lin_api_", is_word, 20),
    token("sntrys_", is_url, 20),
    token("PMAK-", is_url, 20),
    token("ATATT3", is_url, 20),
    token("ATCTT3", is_url, 20),
    token("AGE-SECRET-KEY-1", is_capital, 20),
    token("figd_", is_url, 20),
    token("ntn_", is_word, 30),
    // A JSON object in base64 ({"…), as a JSON web token and Docker's credentials start.
    word("eyJ", is_base64, 17),
];

/// The tokens by their first byte: most bytes of a command line start none.
static BY_FIRST: LazyLock<Vec<Vec<&Token>>> = LazyLock::new(|| {
    let starting = |first: u8| TOKENS.iter().filter(|token| token.start.as_bytes().first() == Some(&first)).collect();
    (0..=u8::MAX).map(starting).collect()
});

/// So many bytes of a token at the end of what was cut off are enough to know it by.
const CUT_LEAST: usize = 1;
/// URLs in one string that are looked at.
const MAX_URLS: usize = 64;
/// A user in a URL that is no longer is a name, not a token.
const LONGEST_USER: usize = 24;

const KEY_BEGIN: &[u8] = b"-----BEGIN ";
const KEY_KIND: &[u8] = b"PRIVATE KEY";
const KEY_END: &[u8] = b"-----END ";

/// Adds what `text` shows of secrets by their shape; `cut`: it was longer.
pub fn find(text: &[u8], cut: bool, spans: &mut Spans) {
    tokens(text, cut, spans);
    keys(text, spans);
    urls(text, cut, spans);
    bearers(text, spans);
}

fn tokens(text: &[u8], cut: bool, spans: &mut Spans) {
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let starts_word = at.checked_sub(1).and_then(|before| text.get(before)).is_none_or(|before| !is_word(*before));
        let candidates = rest.first().and_then(|first| BY_FIRST.get(usize::from(*first)));
        let found = candidates.into_iter().flatten().find_map(|token| {
            let body = rest.strip_prefix(token.start.as_bytes()).filter(|_| starts_word || !token.at_word)?;
            let len = body.iter().take_while(|byte| (token.of)(**byte)).count();
            let is_at_end = cut && len == body.len();
            (len >= token.least || (is_at_end && len >= CUT_LEAST)).then_some(token.start.len() + len)
        });
        if let Some(len) = found {
            spans.add(at, at + len);
        }
        at += found.unwrap_or(1);
    }
}

/// A private key in PEM, to its end or that of the text.
fn keys(text: &[u8], spans: &mut Spans) {
    let mut at = 0;
    while let Some(begin) = position(text, at, KEY_BEGIN) {
        let body = begin + KEY_BEGIN.len();
        let kind_end = position(text, body, b"-----").unwrap_or(text.len());
        let is_private = text.get(body..kind_end).is_some_and(|kind| position(kind, 0, KEY_KIND).is_some());
        if !is_private {
            at = body;
            continue;
        }
        let end = position(text, kind_end, KEY_END)
            .and_then(|end| position(text, end + KEY_END.len(), b"-----"))
            .map_or(text.len(), |end| end + b"-----".len());
        spans.add(begin, end);
        at = end;
    }
}

/// The password, or the token that stands for a user, in `scheme://user:password@host`; and in `user:password@host:port` and
/// `user:password@tcp(host)`, which have no scheme.
fn urls(text: &[u8], cut: bool, spans: &mut Spans) {
    let mut at = 0;
    for _ in 0..MAX_URLS {
        let Some(colon) = position(text, at, b"://") else { break };
        at = colon + 3;
        let has_scheme =
            colon.checked_sub(1).and_then(|before| text.get(before)).is_some_and(u8::is_ascii_alphanumeric);
        if has_scheme {
            let end = end_of(text, at, |byte| {
                byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'`')
            });
            authority(text, at, end, cut && end == text.len(), spans);
        }
    }
    for (sign, _) in text.iter().enumerate().filter(|(_, byte)| **byte == b'@') {
        without_scheme(text, sign, spans);
    }
}

/// A URL behind its scheme, from `start` to `end`.
fn authority(text: &[u8], start: usize, end: usize, cut: bool, spans: &mut Spans) {
    let Some(url) = text.get(start..end) else { return };
    let host_end = end_of(url, 0, |byte| matches!(byte, b'/' | b'?' | b'#' | b'\\'));
    let strict = url.get(..host_end).unwrap_or_default();
    let colon = strict.iter().position(|byte| *byte == b':');
    // A password with a slash in it ends the host early: its "port" is no number then.
    let port = colon.and_then(|colon| strict.get(colon + 1..)).unwrap_or_default();
    let has_port = port.iter().all(u8::is_ascii_digit);
    let sign = match strict.iter().rposition(|byte| *byte == b'@') {
        Some(sign) => Some(sign),
        None if colon.is_some() && !has_port => url.iter().rposition(|byte| *byte == b'@'),
        None => None,
    };
    // An image's tag and digest: `docker://nginx:1.27@sha256:…`.
    let is_digest = sign.and_then(|sign| url.get(sign + 1..)).is_some_and(is_digest);
    match (colon, sign) {
        _ if is_digest => {}
        (Some(colon), Some(sign)) if colon < sign => spans.add(start + colon + 1, start + sign),
        (_, Some(sign)) if sign > LONGEST_USER => spans.add(start, start + sign),
        // Cut off before the host came.
        (Some(colon), None) if cut && host_end == url.len() => spans.add(start + colon + 1, end),
        _ => {}
    }
}

/// RuntimeConfig the `@` at `sign`.
fn without_scheme(text: &[u8], sign: usize, spans: &mut Spans) {
    let host = text.get(sign + 1..).unwrap_or_default();
    let name = host.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')).count();
    let is_call = [&b"tcp("[..], b"unix(", b"tcp6(", b"("].iter().any(|start| host.starts_with(start));
    let behind = host.get(name..).unwrap_or_default();
    let has_port = name > 0 && behind.first() == Some(&b':') && behind.get(1).is_some_and(u8::is_ascii_digit);
    if is_digest(host) || !(is_call || has_port) {
        return;
    }
    let before = text.get(..sign).unwrap_or_default();
    let is_end =
        |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'"' | b'\'' | b'=' | b',' | b';' | b'@');
    let start = before.iter().rposition(is_end).map_or(0, |end| end + 1);
    let colon = before.get(start..).and_then(|user| user.iter().position(|byte| *byte == b':'));
    if let Some(colon) = colon {
        spans.add(start + colon + 1, sign);
    }
}

/// What an image's digest starts with, where a URL has its host.
fn is_digest(text: &[u8]) -> bool {
    [&b"sha256:"[..], b"sha512:"].iter().any(|start| text.starts_with(start))
}

/// What a request is authorized by: `Bearer …` and `Basic …`, where what follows looks like it.
fn bearers(text: &[u8], spans: &mut Spans) {
    for scheme in ["bearer ", "basic "] {
        for (at, _) in text.iter().enumerate().filter(|(_, byte)| matches!(byte, b'b' | b'B')) {
            let starts_word =
                at.checked_sub(1).and_then(|before| text.get(before)).is_none_or(|before| !is_word(*before));
            let head = text.get(at..at + scheme.len());
            if !starts_word || !head.is_some_and(|head| head.eq_ignore_ascii_case(scheme.as_bytes())) {
                continue;
            }
            let start = end_of(text, at + scheme.len(), |byte| byte != b' ');
            let end = end_of(text, start, |byte| !is_base64(byte));
            let value = text.get(start..end).unwrap_or_default();
            let is_word_of_prose = value.iter().all(u8::is_ascii_lowercase) && value.len() < 20;
            if value.len() >= 8 && !is_word_of_prose {
                spans.add(start, end);
            }
        }
    }
}

/// It looks as if chance had made it: long, of letters and digits, and no path.
#[must_use]
pub fn is_random(value: &[u8]) -> bool {
    let has = |is: fn(&u8) -> bool| value.iter().any(is);
    value.len() >= 16
        && value.iter().all(|byte| is_base64(*byte))
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
        && !is_path_like(value)
}

/// It is written as a path.
#[must_use]
pub fn is_path_like(value: &[u8]) -> bool {
    const ENDS: [&[u8]; 8] = [b".pem", b".key", b".crt", b".json", b".yaml", b".yml", b".txt", b".conf"];
    [&b"/"[..], b"./", b"../", b"~"].iter().any(|start| value.starts_with(start))
        || ENDS.iter().any(|end| value.ends_with(end))
}

/// Where `part` is in `text`, from `at` on.
pub fn position(text: &[u8], at: usize, part: &[u8]) -> Option<usize> {
    let found = text.get(at..)?.windows(part.len()).position(|window| window == part)?;
    Some(at + found)
}

/// The first place from `at` on whose byte is an end; else the text's end.
pub fn end_of(text: &[u8], at: usize, is_end: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.iter().position(|byte| is_end(*byte)).map_or(text.len(), |end| at + end)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_url(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'-' | b'.')
}

fn is_path(byte: u8) -> bool {
    is_url(byte) || byte == b'/'
}

fn is_base64(byte: u8) -> bool {
    is_url(byte) || matches!(byte, b'+' | b'/' | b'=' | b'~')
}

fn is_capital(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str, cut: bool) -> String {
        let mut spans = Spans::default();
        find(text.as_bytes(), cut, &mut spans);
        String::from_utf8(spans.mask(text.as_bytes())).unwrap()
    }

    #[test]
    fn known_shapes_are_found_wherever_they_stand() {
        for (text, expected) in [
            ("ghp_abcdefghijklmnopqrst0123456789ABCDEF", "REDACTED"),
            ("x=github_pat_11AAAAAAA0aaaaaaaaaaaa_bbbbbbbb;", "x=REDACTED;"),
            ("--id AKIAIOSFODNN7EXAMPLE", "--id REDACTED"),
            ("xoxb-123456789012-abcdefABCDEF", "REDACTED"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "REDACTED"),
            ("https://hooks.slack.com/services/T000/B000/XXXXXXXX", "https://REDACTED"),
            ("https://u:hunter2@db.example:5432/x", "https://u:REDACTED@db.example:5432/x"),
            ("redis://:hunter2@h", "redis://:REDACTED@h"),
            ("postgres://u:p/w@rd@h/db?x=1", "postgres://u:REDACTED@h/db?x=1"),
            ("https://0123456789abcdef0123456789abcdef@host/x", "https://REDACTED@host/x"),
            ("root:secret@tcp(db:3306)/shop", "root:REDACTED@tcp(db:3306)/shop"),
            ("-x user:pw@proxy:3128", "-x user:REDACTED@proxy:3128"),
            ("Authorization: bearer abcDEF123", "Authorization: bearer REDACTED"),
            ("Basic dXNlcjpwYXNz", "Basic REDACTED"),
            ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- x", "REDACTED x"),
            ("a -----BEGIN PRIVATE KEY-----\nMII", "a REDACTED"),
        ] {
            assert_eq!(masked(text, false), expected, "{text}");
        }
    }

    #[test]
    fn what_only_resembles_them_is_left() {
        for text in [
            "ssh://git@host/x",
            "git@github.com:org/repo",
            "http://host:8080/@scope/pkg",
            "nginx:1.27@sha256:0123456789",
            "npm:lodash@4.17.1",
            "user@1000.service",
            "Basic authentication",
            "bearer of news",
            "ghp_short",
            "AKIAshort",
            "task-queue",
            "6c266caa8d7c6c266caa8d7c6c266caa8d7c6c266caa8d7c6c266caa8d7c6c26",
            "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
            "tcp://0.0.0.0:2375",
            "",
        ] {
            assert_eq!(masked(text, false), text);
        }
    }

    #[test]
    fn of_what_was_cut_off_less_is_enough() {
        for (text, expected) in [
            ("x ghp_ab", "x REDACTED"),
            ("eyJhb", "REDACTED"),
            ("https://user:hunt", "https://user:REDACTED"),
            ("https://host/pa", "https://host/pa"),
            ("-----BEGIN PRIVATE KE", "-----BEGIN PRIVATE KE"),
        ] {
            assert_eq!(masked(text, true), expected, "{text}");
        }
    }
}
