//! The agent's endpoint as curl sees it: compressed, encrypted, for those who may ask, and with a configuration that
//! changes while it runs.

use std::process::Command;

use resetmon_tests::{Agent, Folder, Running, host};

use crate::authority::Authority;

/// bcrypt hashes of `secret` and `changed`.
pub(crate) const SECRET: &str = "$2y$10$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u";
const CHANGED: &str = "$2y$10$abcdefghijklmnopqrstuu9DJYso2UGqoUAPDo.a93nDJJctUHmN.";

/// An agent whose endpoint has a web configuration, and where it is.
pub(crate) struct Protected {
    pub(crate) process: Running,
    pub(crate) url: String,
}

impl Protected {
    pub(crate) fn start(configuration: &str, arguments: &[&str]) -> Self {
        let arguments = [&["--web.config.file", configuration], arguments].concat();
        let mut process = Agent::spawn("127.0.0.1:0", &arguments);
        let line = process.wait_for("metrics are on ");
        let url = line.rsplit(' ').next().expect("a URL").trim_end_matches("/metrics").to_owned();
        Self { process, url }
    }

    /// The port of the URL.
    pub(crate) fn port(&self) -> &str {
        self.url.rsplit(':').next().expect("a port")
    }

    /// Asks with curl: the status, or curl's own exit code when there was no answer, and all that came.
    fn ask(&self, path: &str, arguments: &[&str]) -> (Result<u16, i32>, String) {
        let mut curl = Command::new("/usr/bin/curl");
        curl.args(["--silent", "--include", "--max-time", "30"]).args(arguments);
        let output = curl.arg(format!("{}{path}", self.url)).output().expect("curl starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        let code = output.status.code().expect("curl ends by itself");
        (if code == 0 { status.ok_or(0) } else { Err(code) }, text)
    }

    #[track_caller]
    fn expect(&self, arguments: &[&str], expected: Result<u16, i32>) -> String {
        let (status, text) = self.ask("/metrics", arguments);
        assert_eq!(status, expected, "{arguments:?}: {text}\n{}", self.process.said());
        text
    }
}

#[test]
fn metrics_are_compressed_for_those_who_want_it() {
    let _host = host::shared();
    let folder = Folder::new();
    let agent = Protected::start(&folder.write("web.yml", ""), &["--web.telemetry-path", "/somewhere/else"]);
    let agent = Protected { url: agent.url.trim_end_matches("/somewhere/else").to_owned(), ..agent };
    let (status, plain) = agent.ask("/somewhere/else", &[]);
    assert_eq!(status, Ok(200));
    assert!(!plain.to_lowercase().contains("content-encoding"), "{plain}");
    let (_, unpacked) = agent.ask("/somewhere/else", &["--compressed"]);
    assert!(unpacked.to_lowercase().contains("content-encoding: gzip"), "{unpacked}");
    assert!(unpacked.contains("\n# TYPE resetmon_kernel_resets_sent_total counter\n"), "{unpacked}");
    let sized = |arguments: &[&str]| {
        let discard =
            [arguments, &["--no-include", "--output", "/dev/null", "--write-out", "x %{size_download}"]];
        let (_, text) = agent.ask("/somewhere/else", &discard.concat());
        text.split(' ').nth(1).and_then(|size| size.parse::<usize>().ok()).unwrap_or_else(|| panic!("{text}"))
    };
    let (large, small) = (sized(&[]), sized(&["--header", "Accept-Encoding: gzip"]));
    assert!(small * 4 < large, "{small} of {large} bytes");
    let (_, page) = agent.ask("/", &[]);
    assert!(page.contains("href=\"/somewhere/else\""), "{page}");
    assert_eq!(agent.ask("/metrics", &[]).0, Ok(404));
}

#[test]
fn clients_need_a_certificate_and_a_password() {
    let _host = host::shared();
    let authority = Authority::new();
    authority.issue("server", "DNS:localhost,IP:127.0.0.1");
    authority.issue("prometheus", "DNS:prometheus.example");
    authority.issue("other", "DNS:other.example");
    let strangers = Authority::new();
    strangers.issue("prometheus", "DNS:prometheus.example");
    let configuration = authority.folder.write("web.yml", &format!(
        "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  client_ca_file: ca.pem\n  \
         client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [prometheus.example]\n\
         http_server_config:\n  headers:\n    X-Frame-Options: deny\n\
         basic_auth_users:\n  anna: {SECRET}\n",
    ));
    let agent = Protected::start(&configuration, &[]);
    assert!(agent.url.starts_with("https://"), "{}", agent.url);

    let ca = authority.path("ca.pem");
    let with = |authority: &Authority, name: &str| {
        [authority.path(&format!("{name}.pem")), authority.path(&format!("{name}.key"))]
    };
    let by = |[certificate, key]: &[String; 2], more: &[&str]| -> Vec<String> {
        let all = ["--cacert", &ca, "--cert", certificate, "--key", key];
        all.iter().chain(more).map(|word| (*word).to_owned()).collect()
    };
    let expect = |arguments: Vec<String>, expected| {
        agent.expect(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), expected)
    };
    let right = with(&authority, "prometheus");

    for version in ["--http1.1", "--http2"] {
        let text = expect(by(&right, &[version, "--user", "anna:secret"]), Ok(200));
        assert!(text.contains("resetmon_build_info"), "{text}");
        assert!(text.to_lowercase().contains("x-frame-options: deny"), "{text}");
        assert!(text.starts_with(if version == "--http2" { "HTTP/2 " } else { "HTTP/1.1 " }), "{text}");
    }
    let refused = expect(by(&right, &[]), Ok(401));
    assert!(refused.to_lowercase().contains("www-authenticate: basic"), "{refused}");
    assert!(!refused.contains("resetmon_build_info"), "{refused}");
    expect(by(&right, &["--user", "anna:wrong"]), Ok(401));
    expect(by(&right, &["--user", "ben:secret"]), Ok(401));
    // 56: the server ends the connection once it has seen the certificate; 52: it gives no answer.
    for certificate in [with(&authority, "other"), with(&strangers, "prometheus")] {
        let (status, text) = agent.ask(
            "/metrics",
            &by(&certificate, &["--user", "anna:secret"]).iter().map(String::as_str).collect::<Vec<_>>(),
        );
        assert!(matches!(status, Err(35 | 52 | 55 | 56)), "{status:?} {text}");
    }
    let without = agent.ask("/metrics", &["--cacert", &ca, "--user", "anna:secret"]);
    assert!(matches!(without.0, Err(35 | 52 | 55 | 56)), "{without:?}");
    // 60: the client does not trust the server.
    agent.expect(&["--user", "anna:secret"], Err(60));
    let plain = Command::new("/usr/bin/curl")
        .args(["--silent", "--max-time", "30", &agent.url.replace("https", "http")])
        .output()
        .expect("curl starts");
    assert!(!plain.status.success(), "{plain:?}");
    expect(by(&right, &["--user", "anna:secret"]), Ok(200));
}

#[test]
fn the_configuration_changes_without_a_restart() {
    let _host = host::shared();
    let authority = Authority::new();
    authority.issue("server", "IP:127.0.0.1");
    let tls = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";
    let write = |text: &str| authority.folder.write("web.yml", text);
    let agent = Protected::start(&write(&format!("{tls}basic_auth_users:\n  anna: {SECRET}\n")), &[]);
    let ca = authority.path("ca.pem");
    let (old, new) =
        (["--cacert", &ca, "--user", "anna:secret"], ["--cacert", &ca, "--user", "anna:changed"]);
    agent.expect(&old, Ok(200));
    agent.expect(&new, Ok(401));

    write(&format!("{tls}basic_auth_users:\n  anna: {CHANGED}\n"));
    agent.expect(&old, Ok(401));
    agent.expect(&new, Ok(200));

    // What is broken changes nothing and is said once.
    write(&format!("{tls}basic_auth_user:\n  anna: {SECRET}\n"));
    for _ in 0..3 {
        agent.expect(&new, Ok(200));
    }
    agent.expect(&old, Ok(401));
    let said = agent.process.said();
    assert_eq!(said.matches("what was valid before stays so").count(), 1, "{said}");
    assert!(said.contains("basic_auth_user"), "{said}");

    // A new certificate is shown to the next who comes.
    write(&format!("{tls}basic_auth_users:\n  anna: {CHANGED}\n"));
    let serial = || {
        let text = "openssl s_client -connect \"$0\" </dev/null 2>/dev/null | openssl x509 -noout -serial";
        let address = agent.url.trim_start_matches("https://");
        let output = Command::new("/bin/sh").args(["-c", text, address]).output().expect("a shell");
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let before = serial();
    authority.issue("server", "IP:127.0.0.1");
    assert_ne!(serial(), before);
    agent.expect(&new, Ok(200));
}

#[test]
fn a_broken_configuration_starts_nothing() {
    let _host = host::shared();
    let folder = Folder::new();
    let path = folder.write("web.yml", "basic_auth_users:\n  anna: secret\n");
    let mut agent = Agent::spawn("127.0.0.1:0", &["--web.config.file", &path]);
    assert_eq!(agent.wait().code(), Some(1), "{}", agent.said());
    assert!(agent.said().contains("the password of anna is no bcrypt hash"), "{}", agent.said());
    assert!(!agent.said().contains("capturing"), "{}", agent.said());
}
