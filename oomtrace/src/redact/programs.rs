//! Programs that take a secret behind an option that says nothing of it: `mysql -pX`, `curl -u user:X`.

/// What a program's options hold.
pub struct Program {
    names: &'static [&'static str],
    /// Only behind this word: `docker login`.
    pub verb: Option<&'static str>,
    /// The next argument is a secret.
    pub separate: &'static [&'static str],
    /// The rest of the argument is one.
    pub attached: &'static [&'static str],
    /// The next argument, or the rest of this one, has a secret behind the first such byte.
    pub paired: &'static [(&'static str, u8)],
    /// Which argument without a dash is one, counted from one, behind the program or its verb.
    pub place: Option<usize>,
    /// Keys and values are arguments of their own: `nmcli … password X`.
    pub bare_names: bool,
}

const NONE: Program =
    Program { names: &[], verb: None, separate: &[], attached: &[], paired: &[], place: None, bare_names: false };

/// The list; each from the program's own manual.
const PROGRAMS: &[Program] = &[
    Program {
        names: &[
            "mysql",
            "mysqldump",
            "mysqladmin",
            "mysqlimport",
            "mysqlcheck",
            "mysqlshow",
            "mysqlslap",
            "mysqlbinlog",
            "mysqlpump",
            "mysqlsh",
            "mysql_upgrade",
            "mycli",
            "mytop",
            "mariadb",
            "mariadb-dump",
            "mariadb-admin",
            "mariadb-check",
            "mariadb-import",
            "mariadb-backup",
            "xtrabackup",
        ],
        attached: &["-p"],
        ..NONE
    },
    Program { names: &["mysqladmin", "mariadb-admin"], verb: Some("password"), place: Some(1), ..NONE },
    Program { names: &["sshpass"], separate: &["-p"], attached: &["-p"], ..NONE },
    Program {
        names: &["docker", "podman", "nerdctl", "buildah", "skopeo", "helm", "oras", "crane", "regctl", "az", "cosign"],
        verb: Some("login"),
        separate: &["-p"],
        attached: &["-p"],
        ..NONE
    },
    Program {
        names: &["skopeo", "podman", "buildah", "ctr"],
        paired: &[("--creds", b':'), ("--src-creds", b':'), ("--dest-creds", b':'), ("--user", b':'), ("-u", b':')],
        ..NONE
    },
    Program {
        names: &["curl"],
        paired: &[
            ("-u", b':'),
            ("--user", b':'),
            ("-U", b':'),
            ("--proxy-user", b':'),
            ("-E", b':'),
            ("--cert", b':'),
            ("-b", b'='),
            ("--cookie", b'='),
        ],
        ..NONE
    },
    Program { names: &["http", "https", "xh"], paired: &[("-a", b':'), ("--auth", b':')], ..NONE },
    Program { names: &["etcdctl"], paired: &[("--user", b':')], ..NONE },
    Program {
        names: &["redis-cli", "valkey-cli", "keydb-cli", "redis-benchmark"],
        separate: &["-a"],
        bare_names: true,
        ..NONE
    },
    Program { names: &["redis-cli", "valkey-cli"], verb: Some("auth"), place: Some(1), ..NONE },
    Program { names: &["redis-cli", "valkey-cli"], verb: Some("auth"), place: Some(2), ..NONE },
    Program {
        names: &[
            "mongo",
            "mongosh",
            "mongodump",
            "mongorestore",
            "mongoexport",
            "mongoimport",
            "mongostat",
            "mongotop",
        ],
        separate: &["-p"],
        attached: &["-p"],
        ..NONE
    },
    Program {
        names: &["ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapwhoami", "ldapcompare", "ldapmodrdn"],
        separate: &["-w"],
        attached: &["-w"],
        ..NONE
    },
    Program { names: &["ldappasswd"], separate: &["-w", "-a", "-s"], attached: &["-w", "-a", "-s"], ..NONE },
    Program { names: &["sqlcmd", "bcp", "isql", "tsql"], separate: &["-P"], attached: &["-P"], ..NONE },
    Program { names: &["ipmitool", "mosquitto_pub", "mosquitto_sub", "zip", "unzip"], separate: &["-P"], ..NONE },
    Program { names: &["snmpget", "snmpset", "snmpwalk", "snmpbulkwalk"], separate: &["-A", "-X", "-c"], ..NONE },
    Program { names: &["7z", "7za", "7zr", "rar", "unrar"], attached: &["-p", "-hp"], ..NONE },
    Program { names: &["cqlsh", "rdesktop", "ncftp", "ncftpget", "ncftpput"], separate: &["-p"], ..NONE },
    Program { names: &["xfreerdp", "xfreerdp3", "wlfreerdp"], attached: &["/p:"], ..NONE },
    Program {
        names: &["smbclient", "rpcclient", "smbget", "smbcacls", "net", "wmic"],
        paired: &[("-U", b'%'), ("--user", b'%')],
        ..NONE
    },
    Program { names: &["lftp"], paired: &[("-u", b','), ("--user", b',')], ..NONE },
    Program { names: &["useradd", "usermod", "groupadd"], separate: &["-p"], ..NONE },
    Program {
        names: &["openssl"],
        separate: &["-k", "-K"],
        paired: &[("-passin", b':'), ("-passout", b':'), ("-pass", b':')],
        ..NONE
    },
    Program { names: &["openssl"], verb: Some("passwd"), place: Some(1), ..NONE },
    Program { names: &["mkpasswd", "vncpasswd"], place: Some(1), ..NONE },
    Program { names: &["wpa_passphrase"], place: Some(2), ..NONE },
    // `htpasswd -b FILE USER PASSWORD`
    Program { names: &["htpasswd"], place: Some(3), ..NONE },
    Program { names: &["kubectl", "oc"], verb: Some("secret"), paired: &[("--from-literal", b'=')], ..NONE },
    Program { names: &["oc"], verb: Some("login"), separate: &["-p"], attached: &["-p"], ..NONE },
    // `mc alias set NAME URL ACCESS-KEY SECRET-KEY`
    Program { names: &["mc", "mcli"], verb: Some("set"), place: Some(4), ..NONE },
    Program {
        names: &["snowsql", "psexec", "hydra", "medusa", "xfreerdp"],
        separate: &["-p"],
        attached: &["-p"],
        ..NONE
    },
    Program { names: &["rabbitmqctl"], verb: Some("add_user"), place: Some(2), ..NONE },
    Program { names: &["rabbitmqctl"], verb: Some("change_password"), place: Some(2), ..NONE },
    Program { names: &["rabbitmqctl"], verb: Some("authenticate_user"), place: Some(2), ..NONE },
    Program { names: &["vault", "bao", "cargo"], verb: Some("login"), place: Some(1), ..NONE },
    Program { names: &["sqlplus", "sqlldr", "impdp", "expdp", "imp", "exp"], paired: &[("", b'/')], ..NONE },
    Program { names: &["nmcli", "aws", "npm", "yarn", "pnpm", "wpa_cli"], bare_names: true, ..NONE },
];

/// What `program`, a path or a name, takes.
pub fn of(program: &[u8]) -> impl Iterator<Item = &'static Program> {
    let name = base(program);
    PROGRAMS.iter().filter(move |known| known.names.iter().any(|known| known.as_bytes() == name))
}

/// These take the *name* of a secret behind `--secret`.
pub fn names_secrets(program: &[u8]) -> bool {
    ["docker", "podman", "nerdctl", "buildah", "buildctl"].iter().any(|known| known.as_bytes() == base(program))
}

/// The last name of a path.
fn base(program: &[u8]) -> &[u8] {
    program.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}
