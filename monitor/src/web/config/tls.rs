//! The section `tls_server_config`: certificates, what clients have to show, and how modern both ends must be.

mod client;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, SupportedKxGroup, ring},
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject as _},
    },
    server::{VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};
use serde::Deserialize;

use self::client::AnyCertificate;
pub use self::client::{AllowedName, NameError};

/// How connections are encrypted.
#[derive(Debug)]
pub struct Tls {
    /// What the handshake needs.
    pub server: Arc<ServerConfig>,
    /// Of these names a client's certificate has one; any when there are none.
    pub allowed: Vec<AllowedName>,
}

/// Why TLS is not possible like this.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A key that has to be there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Two keys that say the same.
    #[error("{0} and {1} cannot both be given")]
    Both(&'static str, &'static str),
    /// A key that has no effect without another.
    #[error("{0} has no effect without {1}")]
    Alone(&'static str, &'static str),
    /// No certificates or key in what should have some.
    #[error("{key} has no PEM in it that could be used")]
    Pem {
        /// Where it came from.
        key: &'static str,
        /// What is wrong.
        source: pem::Error,
    },
    /// Nothing in what should have certificates.
    #[error("{0} has no certificate in it")]
    NoCertificate(&'static str),
    /// A value that there is not, or not here.
    #[error("{key} {value} is not possible; these are: {possible}")]
    Value {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it could be.
        possible: String,
    },
    /// A name of a client.
    #[error("client_allowed_sans")]
    Name(#[from] NameError),
    /// Client certificates cannot be verified.
    #[error("client_ca_file")]
    Verifier(#[from] VerifierBuilderError),
    /// The parts do not go together.
    #[error("the certificate and its key, or the versions and cipher suites, do not go together")]
    Parts(#[from] rustls::Error),
}

/// What a client has to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
enum ClientAuthType {
    #[default]
    NoClientCert,
    RequestClientCert,
    RequireAnyClientCert,
    VerifyClientCertIfGiven,
    RequireAndVerifyClientCert,
}

/// The section as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsSection {
    cert: Option<String>,
    cert_file: Option<PathBuf>,
    key: Option<String>,
    key_file: Option<PathBuf>,
    client_auth_type: Option<ClientAuthType>,
    client_ca: Option<String>,
    client_ca_file: Option<PathBuf>,
    client_allowed_sans: Option<Vec<String>>,
    min_version: Option<String>,
    max_version: Option<String>,
    cipher_suites: Option<Vec<String>>,
    curve_preferences: Option<Vec<String>>,
    prefer_server_cipher_suites: Option<bool>,
}

/// What the files contain that the section names.
pub(super) struct Files {
    cert: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    client_ca: Option<Vec<u8>>,
}

impl TlsSection {
    /// Reads the files that are named.
    pub(super) fn files<E>(&self, mut read: impl FnMut(&Path) -> Result<Vec<u8>, E>) -> Result<Files, E> {
        let mut bytes = |file: &Option<PathBuf>| file.as_deref().map(&mut read).transpose();
        Ok(Files {
            cert: bytes(&self.cert_file)?,
            key: bytes(&self.key_file)?,
            client_ca: bytes(&self.client_ca_file)?,
        })
    }

    pub(super) fn build(&self, files: Files, http2: bool) -> Result<Tls, TlsError> {
        let cert = one(("cert_file", files.cert), ("cert", &self.cert))?;
        let key = one(("key_file", files.key), ("key", &self.key))?;
        let client_ca = one(("client_ca_file", files.client_ca), ("client_ca", &self.client_ca))?;
        let cert = certificates("cert_file", &cert.ok_or(TlsError::Missing("cert_file"))?)?;
        let key = PrivateKeyDer::from_pem_slice(&key.ok_or(TlsError::Missing("key_file"))?)
            .map_err(|source| TlsError::Pem { key: "key_file", source })?;

        let provider = Arc::new(self.provider()?);
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&self.versions()?)?;
        let mut server = match self.verifier(client_ca.as_deref(), &provider)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        }
        .with_single_cert(cert, key)?;
        server.ignore_client_order = self.prefer_server_cipher_suites.unwrap_or(true);
        let protocols: &[&[u8]] = if http2 { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
        server.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Tls { server: Arc::new(server), allowed: self.allowed()? })
    }

    fn client_auth(&self) -> ClientAuthType {
        self.client_auth_type.unwrap_or_default()
    }

    fn verifier(
        &self,
        authorities: Option<&[u8]>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
        let verified = || {
            let mut roots = RootCertStore::empty();
            for certificate in
                certificates("client_ca_file", authorities.ok_or(TlsError::Missing("client_ca_file"))?)?
            {
                roots.add(certificate)?;
            }
            Ok::<_, TlsError>(WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(provider)))
        };
        let any = |is_mandatory| -> Arc<dyn ClientCertVerifier> {
            Arc::new(AnyCertificate::new(Arc::clone(provider), is_mandatory))
        };
        Ok(match self.client_auth() {
            ClientAuthType::NoClientCert if authorities.is_some() => {
                return Err(TlsError::Alone("client_ca_file", "client_auth_type"));
            }
            ClientAuthType::NoClientCert => None,
            ClientAuthType::RequestClientCert => Some(any(false)),
            ClientAuthType::RequireAnyClientCert => Some(any(true)),
            ClientAuthType::VerifyClientCertIfGiven => Some(verified()?.allow_unauthenticated().build()?),
            ClientAuthType::RequireAndVerifyClientCert => Some(verified()?.build()?),
        })
    }

    fn allowed(&self) -> Result<Vec<AllowedName>, TlsError> {
        let names = self.client_allowed_sans.as_deref().unwrap_or_default();
        if !names.is_empty() && self.client_auth() != ClientAuthType::RequireAndVerifyClientCert {
            // Whoever shows no certificate, or one of his own making, would be let in.
            return Err(TlsError::Alone(
                "client_allowed_sans",
                "client_auth_type: RequireAndVerifyClientCert",
            ));
        }
        Ok(names.iter().map(|name| name.parse()).collect::<Result<_, _>>()?)
    }

    fn versions(&self) -> Result<Vec<&'static SupportedProtocolVersion>, TlsError> {
        let least = version("min_version", self.min_version.as_deref(), 0)?;
        let most = version("max_version", self.max_version.as_deref(), VERSIONS.len() - 1)?;
        Ok(VERSIONS.get(least..=most).unwrap_or_default().iter().map(|(_, version)| *version).collect())
    }

    /// The cryptography, without what is not wanted. The suites of TLS 1.3 are not for choosing, as in Go.
    fn provider(&self) -> Result<CryptoProvider, TlsError> {
        let mut provider = ring::default_provider();
        if let Some(names) = &self.cipher_suites {
            let is_chosen = |suite: &rustls::SupportedCipherSuite| {
                suite.tls13().is_some() || names.iter().any(|name| *name == suite_name(suite))
            };
            let known: Vec<_> = provider.cipher_suites.iter().map(suite_name).collect();
            check_all("cipher_suites", names, &known)?;
            provider.cipher_suites.retain(is_chosen);
        }
        if let Some(names) = &self.curve_preferences {
            check_all("curve_preferences", names, &CURVES.map(|(name, _)| name.to_owned()))?;
            let group =
                |name: &String| CURVES.iter().find(|(known, _)| known == name).map(|(_, group)| *group);
            provider.kx_groups = names.iter().filter_map(group).collect();
        }
        Ok(provider)
    }
}

/// The versions that there are; the earlier ones of Go's are broken.
const VERSIONS: [(&str, &SupportedProtocolVersion); 2] = [("TLS12", &TLS12), ("TLS13", &TLS13)];

/// Go's names of the curves that there are.
const CURVES: [(&str, &dyn SupportedKxGroup); 3] = [
    ("X25519", ring::kx_group::X25519),
    ("CurveP256", ring::kx_group::SECP256R1),
    ("CurveP384", ring::kx_group::SECP384R1),
];

fn version(key: &'static str, name: Option<&str>, default: usize) -> Result<usize, TlsError> {
    let Some(name) = name else { return Ok(default) };
    VERSIONS.iter().position(|(known, _)| *known == name).ok_or_else(|| TlsError::Value {
        key,
        value: name.to_owned(),
        possible: VERSIONS.map(|(known, _)| known).join(", "),
    })
}

fn check_all(key: &'static str, names: &[String], known: &[String]) -> Result<(), TlsError> {
    match names.iter().find(|name| !known.contains(name)) {
        Some(name) => Err(TlsError::Value { key, value: name.clone(), possible: known.join(", ") }),
        None => Ok(()),
    }
}

/// The suite as Go and IANA call it.
fn suite_name(suite: &rustls::SupportedCipherSuite) -> String {
    suite.suite().as_str().unwrap_or_default().replace("TLS13_", "TLS_")
}

/// What is given as a file or in the text, and not as both.
fn one(
    (file_key, file): (&'static str, Option<Vec<u8>>),
    (text_key, text): (&'static str, &Option<String>),
) -> Result<Option<Vec<u8>>, TlsError> {
    match (file, text) {
        (Some(_), Some(_)) => Err(TlsError::Both(file_key, text_key)),
        (file, text) => Ok(file.or_else(|| text.as_ref().map(|text| text.clone().into_bytes()))),
    }
}

fn certificates(key: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(none) if none.is_empty() => Err(TlsError::NoCertificate(key)),
        Ok(certificates) => Ok(certificates),
        Err(source) => Err(TlsError::Pem { key, source }),
    }
}
