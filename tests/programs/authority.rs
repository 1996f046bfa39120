//! A certificate authority of a test's own, made with openssl.

use std::process::Command;

use resetmon_tests::Folder;

/// The authority and all that it has signed, in one folder.
pub(crate) struct Authority {
    pub(crate) folder: Folder,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let authority = Self { folder: Folder::new() };
        authority.make_key("ca");
        authority.openssl(&[
            "req", "-x509", "-key", "ca.key", "-out", "ca.pem", "-subj", "/CN=test", "-days", "2",
        ]);
        authority
    }

    /// Signs a certificate for these names: it is in `NAME.pem`, its key in `NAME.key`.
    pub(crate) fn issue(&self, name: &str, alternative_names: &str) {
        let file = |ending: &str| format!("{name}.{ending}");
        self.make_key(name);
        let subject = format!("/CN={name}");
        self.openssl(&["req", "-new", "-key", &file("key"), "-out", &file("csr"), "-subj", &subject]);
        let extensions = format!("subjectAltName={alternative_names}\nbasicConstraints=CA:FALSE\n");
        self.folder.write(&file("ext"), &extensions);
        let by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
        let (csr, extensions, certificate) = (file("csr"), file("ext"), file("pem"));
        let of = ["x509", "-req", "-in", &csr, "-extfile", &extensions, "-out", &certificate];
        self.openssl(&[&of[..], &by].concat());
    }

    /// Path of one of its files.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("a plain path").to_owned()
    }

    fn make_key(&self, name: &str) {
        let to = format!("{name}.key");
        self.openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", &to]);
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("/usr/bin/openssl");
        let output =
            command.args(arguments).current_dir(self.folder.path()).output().expect("openssl starts");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
