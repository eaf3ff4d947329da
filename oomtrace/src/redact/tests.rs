//! Whole command lines: what is masked, and what must stay.

use std::mem::offset_of;

use oomtrace_common::event::{
    Ancestor, ConnectEvent, ConnectTail, DeliverEvent, ExitEvent, FLAG_CMDLINE_TRUNCATED, Header, KIND_CONNECT,
    KIND_DELIVER, KIND_EXIT, KIND_SIGNAL, KIND_UNSEEN, Listener, Namespaces, Origin, SignalEvent, SignalTail,
    UnseenEvent, UnseenTail, WIRE_VERSION,
};

use super::*;
use crate::event::decode::decode;

fn masked(arguments: &[&str], cut: bool) -> Vec<String> {
    Privacy::Masked.cmdline(arguments.iter().map(|argument| (*argument).to_owned()).collect(), cut).0
}

/// The secret in each is `hunter2`, or starts so.
#[test]
fn no_known_shape_of_a_secret_is_left() {
    for arguments in [
        &["app", "--password", "hunter2"][..],
        &["app", "--password=hunter2"],
        &["app", "--PASSWORD", "hunter2"],
        &["app", "-password", "hunter2"],
        &["app", "--Password=hunter2 and more of hunter2"],
        &["app", "--token", "hunter2", "--verbose"],
        &["app", "--api-key", "hunter2"],
        &["app", "--apiKey=hunter2"],
        &["app", "--secret", "hunter2"],
        &["app", "--client-secret", "hunter2"],
        &["app", "--password", "-hunter2"],
        &["mysql", "-uroot", "-phunter2", "shop"],
        &["/usr/bin/mysqldump", "-phunter2"],
        &["docker", "exec", "db", "mysql", "-phunter2"],
        &["sshpass", "-p", "hunter2", "ssh", "host"],
        &["sshpass", "-phunter2", "ssh", "host"],
        &["docker", "login", "-u", "me", "-p", "hunter2", "registry"],
        &["podman", "login", "-phunter2"],
        &["redis-cli", "-a", "hunter2", "ping"],
        &["redis-cli", "AUTH", "hunter2"],
        &["redis-server", "--requirepass", "hunter2"],
        &["mongosh", "-p", "hunter2"],
        &["curl", "-u", "me:hunter2", "http://h"],
        &["curl", "-ume:hunter2", "http://h"],
        &["curl", "-sSu", "me:hunter2", "http://h"],
        &["curl", "-sSume:hunter2", "http://h"],
        &["curl", "--user=me:hunter2"],
        &["curl", "-H", "Authorization: Bearer hunter2"],
        &["curl", "-H", "authorization: hunter2"],
        &["curl", "-HX-Api-Key: hunter2"],
        &["curl", "-H", "Authorization:", "Bearer", "hunter2"],
        &["curl", "--cookie", "sid=hunter2"],
        &["curl", "http://h/?a=1&token=hunter2"],
        &["curl", "http://me:hunter2@h/x"],
        &["curl", "-d", r#"{"user":"me","password":"hunter2"}"#, "http://h"],
        &["curl", "-d", "grant=x&client_secret=hunter2&b=2"],
        &["psql", "postgresql://me:hunter2@h:5432/d"],
        &["psql", "host=h password=hunter2 user=me"],
        &["env", "PGPASSWORD=hunter2", "psql"],
        &["docker", "run", "-e", "MYSQL_ROOT_PASSWORD=hunter2", "mysql"],
        &["docker", "run", "-eTOKEN=hunter2", "x"],
        &["docker", "run", "--env=AWS_SECRET_ACCESS_KEY=hunter2", "x"],
        &["sh", "-c", "app --password hunter2 --verbose"],
        &["sh", "-c", "PGPASSWORD=hunter2 psql; kill -9 7"],
        &["sh", "-c", "mysql -uroot -p'hunter2' shop"],
        &["bash", "-lc", "bash -c \"mysql -phunter2\""],
        &["bash", "-c", "mysql -uroot -p$'hunter2' shop"],
        &["bash", "-c", "app --password $'hunter2\\'hunter2'; kill -9 7"],
        &["sh", "-c", "app --password \\\n  hunter2 --verbose"],
        &["sh", "-c", "mysql -uroot \\\n  -phunter2 shop"],
        &["sh", "-c", "curl -u me:hunter2 http://h | jq ."],
        &["sh", "-c", "echo hunter2 | docker login --password-stdin"],
        &["sh", "-c", "docker login --password-stdin <<< hunter2"],
        &["sh", "-c", "export TOKEN=hunter2 && run"],
        &["ssh", "host", "mysql", "-phunter2"],
        &["ssh", "host", "PGPASSWORD=hunter2 psql"],
        &["app: worker --password hunter2"],
        &["java", "-Djavax.net.ssl.keyStorePassword=hunter2", "Main"],
        &["java", "-Dspring.datasource.password=hunter2", "Main"],
        &["mount", "-o", "username=me,password=hunter2,vers=3"],
        &["helm", "install", "--set", "db.password=hunter2"],
        &["ldapsearch", "-D", "cn=x", "-w", "hunter2"],
        &["smbclient", "-U", "me%hunter2", "//h/s"],
        &["openssl", "rsa", "-passin", "pass:hunter2"],
        &["7z", "x", "-phunter2", "a.7z"],
        &["sqlplus", "me/hunter2@db"],
        &["nmcli", "dev", "wifi", "connect", "x", "password", "hunter2"],
        &["aws", "configure", "set", "aws_secret_access_key", "hunter2"],
        &["vault", "login", "hunter2"],
        &["mysqladmin", "-u", "root", "password", "hunter2"],
        &["keytool", "-storepass", "hunter2"],
        &["wget", "--http-password=hunter2", "http://h"],
        &["http", "-a", "me:hunter2", "h"],
        &["http", "h", "Authorization:hunter2"],
        &["mysql", "-e", "ALTER USER me IDENTIFIED BY 'hunter2'"],
        &["app", "Server=h;User Id=me;Password=hunter2;"],
        &["app", "--dsn", "me:hunter2@tcp(db:3306)/shop"],
        &["app", "--proxy", "me:hunter2@proxy:3128"],
        &["app", "--key", "hunter2hunter2hunter2"],
        &["htpasswd", "-b", "/etc/h", "me", "hunter2"],
        &["oc", "login", "-u", "me", "-p", "hunter2"],
        &["mc", "alias", "set", "s3", "http://h", "AKEY", "hunter2"],
        &["hydra", "-l", "me", "-p", "hunter2", "ssh://h"],
        &["kubectl", "create", "secret", "generic", "db", "--from-literal=password=hunter2"],
        &["kubectl", "create", "secret", "generic", "db", "--from-literal=k=hunter2"],
        &["kubectl", "create", "secret", "generic", "db", "--from-literal", "k=hunter2"],
        &["app", "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----"],
        &["app", "GITHUB=ghp_hunter2hunter2hunter2hunter2hunter2"],
        &["app", "eyJhunter2hunter2.eyJhunter2.hunter2"],
    ] {
        let shown = masked(arguments, false);
        assert!(!shown.iter().any(|argument| argument.contains("hunter2")), "{arguments:?}: {shown:?}");
        assert!(shown.iter().any(|argument| argument.contains(MASK)), "{arguments:?}: {shown:?}");
        assert_eq!(masked(&shown.iter().map(String::as_str).collect::<Vec<_>>(), false), shown, "masked twice");
    }
}

#[test]
fn what_was_cut_off_in_a_secret_is_masked() {
    for arguments in [
        &["app", "--password=hun"][..],
        &["app", "--password", "hun"],
        &["curl", "http://me:hun"],
        &["app", r#"{"password":"hun"#],
        &["sh", "-c", "mysql -p'hun"],
        &["sh", "-c", "PGPASSWORD=\"hun"],
        &["app", "x ghp_hun"],
        &["app", "-----BEGIN RSA PRIVATE KEY-----\nhun"],
        &["curl", "-H", "Authorization: Bearer hun"],
    ] {
        let shown = masked(arguments, true);
        assert!(!shown.iter().any(|argument| argument.contains("hun")), "{arguments:?}: {shown:?}");
    }
}

#[test]
fn ordinary_arguments_stay() {
    for arguments in [
        &["app", "--password-file=/run/x", "--password-file", "/run/x"][..],
        &["app", "--tokenizer", "foo", "--max-tokens", "5"],
        &["docker", "run", "-p", "8080:80", "--name", "mysql", "-p3306:3306", "mysql:8"],
        &["docker", "build", "--secret", "id=npm,src=/x", "."],
        &["docker", "service", "create", "--secret", "web", "x"],
        &["docker", "stop", "-t", "10", "web"],
        &["docker", "kill", "token", "web"],
        &["app", "--secret-name", "db", "--token-ttl", "5m"],
        &["docker", "login", "--password-stdin", "registry"],
        &["mysql", "-p", "shop"],
        &["ps", "-p", "7"],
        &["app", "--password", "--host", "db"],
        &["psql", "--no-password", "shop"],
        &["kubectl", "--client-key=/etc/k.pem", "get", "secret", "web"],
        &[
            "runc",
            "--root",
            "/run/docker",
            "kill",
            "6c266caa8d7c6c266caa8d7c6c266caa8d7c6c266caa8d7c6c266caa8d7c6c26",
            "9",
        ],
        &["curl", "--unix-socket", "/run/docker.sock", "-X", "POST", "http://d/v1.41/containers/web/kill?signal=KILL"],
        &["sh", "-c", "kill -9 7; mysql --password=\"$PASS\" -h db"],
        &["nginx: worker process"],
        &["postgres: me shop 10.0.0.1(5555) idle"],
        &["ssh", "-o", "PasswordAuthentication=no", "git@host"],
        &["skopeo", "copy", "docker://nginx:1.27@sha256:0123456789abcdef", "x"],
        &["sshd: root@pts/0"],
        &["grep", "-r", "password", "/etc"],
        &["java", "-Xmx1g", "-Dfile.encoding=UTF-8", "-cp", "a.jar:b.jar", "Main"],
        &[""],
        &["app", "", ""],
    ] {
        assert_eq!(masked(arguments, false), arguments, "{arguments:?}");
    }
}

#[test]
fn without_arguments_the_program_is_left() {
    for (arguments, program, cut) in [
        (&["app", "--x", "y"][..], "app", true),
        (&["app"], "app", false),
        (&["app", "", ""], "app", false),
        (&["nginx: worker process"], "nginx:", true),
    ] {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        assert_eq!(Privacy::WithoutArguments.cmdline(arguments, false), (vec![program.to_owned()], cut));
    }
}

/// An event of each kind that has a command line, of zeroes but for that and for the other sections, each of which has something: in the order in
/// which they are decoded, by where their sizes are in the tail.
fn events(cmdline: &[u8]) -> Vec<Vec<u8>> {
    let of = |kind: u16, fixed: usize, sections: &[(usize, &[u8])]| {
        let mut event = vec![0; fixed];
        event[..2].copy_from_slice(&kind.to_ne_bytes());
        event[2..4].copy_from_slice(&WIRE_VERSION.to_ne_bytes());
        for (at, bytes) in sections {
            event[*at..at + 2].copy_from_slice(&(bytes.len() as u16).to_ne_bytes());
            event.extend(*bytes);
        }
        event
    };
    let ancestor = [0; size_of::<Ancestor>()];
    let namespaces = [0; size_of::<Namespaces>()];
    let signal = |at: usize| offset_of!(SignalEvent, tail) + at;
    let unseen = |at: usize| offset_of!(UnseenEvent, tail) + at;
    let connect = |at: usize| offset_of!(ConnectEvent, tail) + at;
    vec![
        of(
            KIND_SIGNAL,
            size_of::<SignalEvent>(),
            &[
                (signal(offset_of!(SignalTail, ancestors)), &ancestor),
                (signal(offset_of!(SignalTail, stack)), &[0; 16]),
                (signal(offset_of!(SignalTail, victim_cgroup)), b"of-victim\0"),
                (signal(offset_of!(SignalTail, victim_memory_cgroup)), b"of-victims-memory\0"),
                (signal(offset_of!(SignalTail, sender_cgroup)), b"of-sender\0"),
                (signal(offset_of!(SignalTail, sender_memory_cgroup)), b"of-senders-memory\0"),
                (signal(offset_of!(SignalTail, victim_exe)), b"app\0"),
                (signal(offset_of!(SignalTail, sender_exe)), b"sh\0"),
                (signal(offset_of!(SignalTail, sender_cmdline)), cmdline),
                (signal(offset_of!(SignalTail, sender_tty)), b"pts1\0"),
                (signal(offset_of!(SignalTail, origin)), &[0; size_of::<Origin>()]),
                (signal(offset_of!(SignalTail, namespaces)), &namespaces),
            ],
        ),
        of(KIND_EXIT, size_of::<ExitEvent>(), &[(offset_of!(ExitEvent, cmdline), cmdline)]),
        of(KIND_DELIVER, size_of::<DeliverEvent>(), &[(offset_of!(DeliverEvent, cmdline), cmdline)]),
        of(
            KIND_CONNECT,
            size_of::<ConnectEvent>(),
            &[
                (connect(offset_of!(ConnectTail, listener)), &[0; size_of::<Listener>()]),
                (connect(offset_of!(ConnectTail, namespaces)), &namespaces),
                (connect(offset_of!(ConnectTail, ancestors)), &ancestor),
                (connect(offset_of!(ConnectTail, cgroup)), b"of-client\0"),
                (connect(offset_of!(ConnectTail, memory_cgroup)), b"of-clients-memory\0"),
                (connect(offset_of!(ConnectTail, exe)), b"sh\0"),
                (connect(offset_of!(ConnectTail, cmdline)), cmdline),
                (connect(offset_of!(ConnectTail, tty)), b"pts1\0"),
            ],
        ),
        of(
            KIND_UNSEEN,
            size_of::<UnseenEvent>(),
            &[
                (unseen(offset_of!(UnseenTail, cgroup)), b"of-victim\0"),
                (unseen(offset_of!(UnseenTail, memory_cgroup)), b"of-victims-memory\0"),
                (unseen(offset_of!(UnseenTail, exe)), b"sh\0"),
                (unseen(offset_of!(UnseenTail, cmdline)), cmdline),
            ],
        ),
    ]
}

#[test]
fn an_events_bytes_hold_no_secret_and_are_still_an_event() {
    for event in events(b"app\0--password\0hunter2\0-x\0") {
        let shown = Privacy::Masked.event(&event);
        let text = format!("{:?}", decode(&shown, 4096).unwrap());
        assert!(text.contains(r#"["app", "--password", "REDACTED", "-x"]"#) && !text.contains("hunter2"), "{text}");
        // All else is as it was.
        let others = |text: &str| {
            let all = [r#"tty: Some("pts1")"#, r#"exe: Some("/sh")"#, "/of-client", "/of-sender", "/of-victim"];
            all.map(|other| text.matches(other).count())
        };
        assert_eq!(others(&text), others(&format!("{:?}", decode(&event, 4096).unwrap())), "{text}");
        assert_eq!(text.matches("listener: Some").count(), usize::from(text.starts_with("Connect")), "{text}");
        assert_eq!(Privacy::Shown.event(&event), event);
        let without = Privacy::WithoutArguments.event(&event);
        let text = format!("{:?}", decode(&without, 4096).unwrap());
        assert!(text.contains(r#"["app"]"#) && text.contains("truncated: true"), "{text}");
    }
    for event in events(b"app\0--host\0h\0") {
        assert_eq!(Privacy::Masked.event(&event), event, "nothing to mask");
    }
}

/// Nothing of an event that is none, or whose sizes lie, is read beyond its end; and a mask may be longer than what it hides.
#[test]
fn hostile_bytes_stay_as_they_are_or_stay_an_event() {
    for mut event in events(&b"p=\0token=a\0".repeat(5000)) {
        let shown = Privacy::Masked.event(&event).into_owned();
        assert!(decode(&shown, 4096).is_ok());
        // In the middle of the command line.
        event.truncate(event.len() / 2);
        assert!(Privacy::Masked.event(&event) == event);
        for len in 0..200.min(event.len()) {
            _ = Privacy::Masked.event(&event[..len]);
        }
    }
    let flag = |event: &[u8]| {
        let at = std::mem::offset_of!(Header, flags);
        u32::from_ne_bytes(event[at..at + 4].try_into().unwrap()) & FLAG_CMDLINE_TRUNCATED != 0
    };
    // 5,957 masks of eight bytes fit into no section.
    let event = &events(&b"token=a\0".repeat(8191))[0];
    let shown = Privacy::Masked.event(event);
    assert!(decode(&shown, 4096).is_ok() && flag(&shown));
}

#[test]
fn labels_are_masked_by_their_names_and_values() {
    let labels = [
        ("com.docker.compose.project", "shop", "shop"),
        ("com.docker.compose.config-hash", "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"),
        ("app.password", "hunter2", "REDACTED"),
        ("note", "--token hunter2", "--token REDACTED"),
        ("last-applied", r#"{"env":[{"name":"X","token":"hunter2"}]}"#, r#"{"env":[{"name":"X","token":"REDACTED"}]}"#),
    ];
    let map = |pick: fn(&(&str, &str, &str)) -> (String, String)| Some(labels.iter().map(pick).collect());
    let mut container = Container {
        labels: map(|(name, value, _)| ((*name).to_owned(), (*value).to_owned())),
        image: Some("nginx:1.27".to_owned()),
        ..Container::default()
    };
    let expected =
        Container { labels: map(|(name, _, shown)| ((*name).to_owned(), (*shown).to_owned())), ..container.clone() };
    Privacy::Masked.container(&mut container);
    assert_eq!(container, expected);
}
