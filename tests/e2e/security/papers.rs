//! Certificates made for a test: an authority, and what it issues.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tempfile::TempDir;

/// A certificate and its key, PEM.
#[derive(Clone)]
pub struct Paper {
    pub cert: String,
    pub key: String,
}

/// An authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `127.0.0.1`, for servers and clients alike.
    pub fn issue(&self) -> Paper {
        self.issue_until(2100)
    }

    /// One that was good in the year 2020.
    pub fn issue_expired(&self) -> Paper {
        self.issue_until(2021)
    }

    fn issue_until(&self, year: i32) -> Paper {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        Paper { cert: params.signed_by(&key, &self.0).unwrap().pem(), key: key.serialize_pem() }
    }
}

/// An authority and a folder with `server.pem`, `server.key` and `ca.pem`.
pub struct Papers {
    pub authority: Authority,
    pub folder: TempDir,
}

impl Papers {
    pub fn issue() -> Papers {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        let papers = Papers { authority, folder };
        let server = papers.authority.issue();
        papers.put("server.pem", &server.cert);
        papers.put("server.key", &server.key);
        papers.put("ca.pem", &papers.authority.pem());
        papers
    }

    pub fn put(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }
}

/// The settings of a server with these files.
pub const TLS: &str = "tls: { cert_file: ./server.pem, key_file: ./server.key, reload_interval: 50ms },";

/// The same, which wants to know its clients.
pub const MUTUAL: &str =
    "tls: { cert_file: ./server.pem, key_file: ./server.key, client_ca_file: ./ca.pem, reload_interval: 50ms },";
