//! Certificates of clients: those that have to have a certain name, and those that only have to be shown.

use std::{net::IpAddr, str::FromStr, sync::Arc};

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use webpki::EndEntityCert;

/// A name that the certificate of a client may have, among its subject's alternative ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedName {
    /// The name of a host, exactly.
    Dns(String),
    /// An address.
    Address(IpAddr),
    /// A URI, as SPIFFE has them.
    Uri(String),
}

/// Text that is no name to look for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Only hosts, addresses and URIs are looked for.
    #[error(
        "the address {0} of a mailbox cannot be looked for, only the names of hosts, IP addresses and URIs"
    )]
    Mailbox(String),
    /// Nothing.
    #[error("a name is empty")]
    Empty,
}

impl FromStr for AllowedName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        if text.contains(':') {
            return Ok(Self::Uri(text.to_owned()));
        }
        if text.contains('@') {
            return Err(NameError::Mailbox(text.to_owned()));
        }
        Ok(Self::Dns(text.to_owned()))
    }
}

impl AllowedName {
    /// Whether the certificate has this name.
    pub fn is_of(&self, certificate: &CertificateDer<'_>) -> bool {
        let Ok(certificate) = EndEntityCert::try_from(certificate) else { return false };
        match self {
            Self::Dns(name) => certificate.valid_dns_names().any(|found| found.eq_ignore_ascii_case(name)),
            Self::Uri(uri) => certificate.valid_uri_names().any(|found| found == uri),
            Self::Address(address) => {
                certificate.verify_is_valid_for_subject_name(&ServerName::from(*address)).is_ok()
            }
        }
    }
}

/// Takes any certificate whose key the client has, whoever made it.
#[derive(Debug)]
pub(super) struct AnyCertificate {
    provider: Arc<CryptoProvider>,
    is_mandatory: bool,
}

impl AnyCertificate {
    pub(super) fn new(provider: Arc<CryptoProvider>, is_mandatory: bool) -> Self {
        Self { provider, is_mandatory }
    }
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        self.is_mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
