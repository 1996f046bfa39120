//! Web configurations that can be used and that cannot, and what is said of those.

use std::{collections::HashMap, io, path::Path, sync::Arc};

use axum::http::HeaderValue;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{CertificateParams, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use super::{
    WebConfig, WebConfigError, parse,
    tls::AllowedName,
    users::{UserError, Users},
};
use crate::notice::Chain;

/// The configuration with this text, and these files beside it.
fn with_files(text: &str, files: &HashMap<&str, String>) -> Result<WebConfig, WebConfigError> {
    parse(Path::new("/etc/resetmon/web.yml"), |path| {
        let path = path.to_str().expect("UTF-8");
        let name = path.strip_prefix("/etc/resetmon/").unwrap_or(path);
        if name == "web.yml" {
            return Ok(text.as_bytes().to_vec());
        }
        files.get(name).map(|text| text.clone().into_bytes()).ok_or(io::ErrorKind::NotFound.into())
    })
}

/// A certificate, its key, and another key.
fn files() -> HashMap<&'static str, String> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let other = KeyPair::generate().expect("a key");
    HashMap::from([
        ("cert.pem", made.cert.pem()),
        ("key.pem", made.signing_key.serialize_pem()),
        ("other.pem", other.serialize_pem()),
        ("tls/cert.pem", made.cert.pem()),
        ("/abs/cert.pem", made.cert.pem()),
    ])
}

fn read(text: &str) -> WebConfig {
    with_files(text, &files()).unwrap_or_else(|error| panic!("{text}: {}", Chain(&error)))
}

fn refuse(text: &str, expected: &[&str]) {
    let error = with_files(text, &files()).expect_err(text);
    let message = Chain(&error).to_string();
    for part in expected {
        assert!(message.contains(part), "{text}: {part:?} is not in {message}");
    }
}

#[test]
fn nothing_is_asked_for() {
    for text in ["", "\n", "tls_server_config:\nbasic_auth_users:\n", "{}"] {
        let config = read(text);
        assert!(config.tls.is_none() && config.headers.is_empty(), "{text}");
    }
}

#[test]
fn certificates() {
    let tls =
        |more: &str| read(&format!("tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n{more}"));
    let config = tls("");
    let server = config.tls.expect("TLS").server;
    assert_eq!(server.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    let config = tls("http_server_config:\n  http2: false\n");
    assert_eq!(config.tls.expect("TLS").server.alpn_protocols, [b"http/1.1".to_vec()]);
    read("tls_server_config:\n  cert_file: tls/cert.pem\n  key_file: key.pem\n");
    read("tls_server_config:\n  cert_file: /abs/cert.pem\n  key_file: key.pem\n");
    let files = files();
    let inline = |name: &str| files[name].trim().replace('\n', "\n    ");
    let text = format!(
        "tls_server_config:\n  cert: |\n    {}\n  key: |\n    {}\n",
        inline("cert.pem"),
        inline("key.pem")
    );
    assert!(with_files(&text, &files).is_ok(), "{text}");

    refuse("tls_server_config:\n  key_file: key.pem\n", &["web.yml", "cert_file is missing"]);
    refuse("tls_server_config:\n  cert_file: cert.pem\n", &["key_file is missing"]);
    refuse("tls_server_config: {}\n", &["cert_file is missing"]);
    refuse(
        "tls_server_config:\n  cert_file: x.pem\n  key_file: key.pem\n",
        &["cannot read /etc/resetmon/x.pem"],
    );
    refuse(
        "tls_server_config:\n  cert_file: key.pem\n  key_file: key.pem\n",
        &["cert_file has no certificate"],
    );
    refuse("tls_server_config:\n  cert_file: cert.pem\n  key_file: cert.pem\n", &["key_file has no PEM"]);
    refuse("tls_server_config:\n  cert_file: cert.pem\n  key_file: other.pem\n", &["do not go together"]);
    refuse(
        "tls_server_config:\n  cert_file: cert.pem\n  cert: x\n  key_file: key.pem\n",
        &["cert_file and cert cannot both"],
    );
}

#[test]
fn versions_suites_and_curves() {
    let text =
        |more: &str| format!("tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n  {more}\n");
    for more in [
        "min_version: TLS13",
        "max_version: TLS12",
        "min_version: TLS12\n  max_version: TLS13",
        "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]",
        "cipher_suites: [TLS_AES_128_GCM_SHA256]",
        "curve_preferences: [CurveP256, X25519]",
        "prefer_server_cipher_suites: false",
    ] {
        read(&text(more));
    }
    refuse(&text("min_version: TLS10"), &["min_version TLS10 is not possible; these are: TLS12, TLS13"]);
    refuse(&text("max_version: TLS11"), &["max_version TLS11"]);
    refuse(&text("min_version: TLS13\n  max_version: TLS12"), &["do not go together"]);
    refuse(
        &text("cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]"),
        &["cipher_suites TLS_RSA_WITH_RC4_128_SHA is not possible", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"],
    );
    refuse(&text("curve_preferences: [CurveP521]"), &["curve_preferences CurveP521 is not possible"]);
}

#[test]
fn clients() {
    let text =
        |more: &str| format!("tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n  {more}\n");
    for more in [
        "client_auth_type: NoClientCert",
        "client_auth_type: RequestClientCert",
        "client_auth_type: RequireAnyClientCert",
        "client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: cert.pem",
        "client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: cert.pem",
        "client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: cert.pem\n  client_allowed_sans: [prometheus]",
    ] {
        read(&text(more));
    }
    refuse(&text("client_ca_file: cert.pem"), &["client_ca_file has no effect without client_auth_type"]);
    refuse(&text("client_auth_type: RequireAndVerifyClientCert"), &["client_ca_file is missing"]);
    refuse(&text("client_auth_type: Whatever"), &["web.yml", "Whatever"]);
    refuse(&text("client_allowed_sans: [a]"), &["client_allowed_sans has no effect without"]);
    refuse(
        &text(
            "client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: cert.pem\n  client_allowed_sans: [a@b]",
        ),
        &["a@b of a mailbox"],
    );
}

#[test]
fn names_of_clients() {
    let mut params =
        CertificateParams::new(["prometheus.example".to_owned(), "10.0.0.9".to_owned()]).expect("names");
    params.subject_alt_names.push(SanType::URI("spiffe://example/prometheus".try_into().expect("a URI")));
    let certificate = params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate");
    let certificate = CertificateDer::from_pem_slice(certificate.pem().as_bytes()).expect("a certificate");
    let check = |name: &str, expected: bool| {
        let name: AllowedName = name.parse().expect("a name");
        assert_eq!(name.is_of(&certificate), expected, "{name:?}");
    };
    check("prometheus.example", true);
    check("PROMETHEUS.example", true);
    check("example", false);
    check("10.0.0.9", true);
    check("10.0.0.8", false);
    check("spiffe://example/prometheus", true);
    check("spiffe://example/other", false);
}

#[test]
fn headers() {
    let config = read(
        "http_server_config:\n  headers:\n    X-Frame-Options: DENY\n    Content-Security-Policy: \"default-src 'none'\"\n",
    );
    assert_eq!(config.headers["x-frame-options"], "DENY");
    assert_eq!(config.headers["content-security-policy"], "default-src 'none'");
    let header = |line: &str| format!("http_server_config:\n  headers:\n    {line}\n");
    refuse(&header("Server: x"), &["the header Server cannot be set", "X-Frame-Options"]);
    refuse(&header("X-Frame-Options: maybe"), &["X-Frame-Options cannot be \"maybe\""]);
    refuse(&header("X-XSS-Protection: \"\""), &["X-XSS-Protection cannot be"]);
}

#[test]
fn what_is_not_understood_is_refused() {
    refuse("tls_server_confg: {}\n", &["web.yml is no web configuration", "tls_server_confg"]);
    refuse("tls_server_config:\n  cert_file: cert.pem\n  kye_file: key.pem\n", &["kye_file"]);
    refuse("http_server_config:\n  http3: true\n", &["http3"]);
    refuse("rate_limit:\n  burst: 1\n", &["rate_limit"]);
    refuse("basic_auth_users: [a]\n", &["web.yml is no web configuration"]);
    refuse("basic_auth_users:\n  a: b\n  a: c\n", &["web.yml is no web configuration"]);
    refuse("a: [\n", &["web.yml is no web configuration"]);
    refuse("basic_auth_users:\n  anna: secret\n", &["the password of anna is no bcrypt hash"]);
    let hash = hash("x");
    refuse(&format!("basic_auth_users:\n  \"a:b\": {hash}\n"), &["has a colon in it"]);
}

/// The lowest cost that bcrypt has, so that tests are quick.
fn hash(password: &str) -> String {
    bcrypt::hash(password, 4).expect("a hash")
}

fn header(credentials: &[u8]) -> HeaderValue {
    let header = format!("Basic {}", STANDARD.encode(credentials));
    HeaderValue::try_from(header).expect("a header")
}

fn users(passwords: &[(&str, &str)]) -> Result<Arc<Users>, UserError> {
    let hashes = passwords.iter().map(|(user, password)| ((*user).to_owned(), hash(password)));
    Users::new(hashes.collect()).map(Arc::new)
}

#[tokio::test]
async fn users_are_admitted_with_their_password() {
    let users = users(&[("anna", "secret"), ("ben", "pass:word")]).expect("users");
    for (credentials, expected) in [
        (&b"anna:secret"[..], true),
        (b"anna:wrong", false),
        // What was right before is remembered, and nothing else is.
        (b"anna:secret", true),
        (b"anna:wrong", false),
        (b"ben:pass:word", true),
        (b"ben:secret", false),
        (b"carl:secret", false),
        (b":secret", false),
        (b"anna", false),
        (b"", false),
        (b"\xff\xfe:secret", false),
    ] {
        assert_eq!(users.admit(Some(&header(credentials))).await, expected, "{credentials:?}");
    }
    assert!(!users.admit(None).await);
    for text in ["Basic", "Basic !", "Bearer YW5uYTpzZWNyZXQ=", "basic"] {
        assert!(!users.admit(Some(&HeaderValue::from_static(text))).await, "{text}");
    }
    assert!(users.admit(Some(&HeaderValue::from_static("basic YW5uYTpzZWNyZXQ="))).await);
}

#[tokio::test]
async fn without_users_everybody_is_admitted() {
    let nobody = users(&[]).expect("users");
    assert!(nobody.admit(None).await && nobody.admit(Some(&header(b"anna:x"))).await);
    assert!(Arc::new(Users::default()).admit(None).await);
}
