//! The signatures that are read (RFC 7518 §3.1): with a public key only, so that nothing a
//! provider publishes can be taken for a shared secret, and never `none`.

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, EcdsaVerificationAlgorithm,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};

use super::document::{Key, Material};

/// A curve of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
}

impl Curve {
    /// As keys call it (RFC 7518 §6.2.1.1).
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        match word {
            "P-256" => Some(Self::P256),
            "P-384" => Some(Self::P384),
            _ => None,
        }
    }

    /// Octets of a coordinate.
    pub(crate) fn octets(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }
}

enum Check {
    Rsa(&'static RsaParameters),
    Ec(Curve, &'static EcdsaVerificationAlgorithm),
}

/// How a token is signed.
pub(crate) struct Algorithm {
    word: &'static str,
    check: Check,
}

static ALGORITHMS: [Algorithm; 6] = [
    Algorithm { word: "RS256", check: Check::Rsa(&RSA_PKCS1_2048_8192_SHA256) },
    Algorithm { word: "ES256", check: Check::Ec(Curve::P256, &ECDSA_P256_SHA256_FIXED) },
    Algorithm { word: "RS384", check: Check::Rsa(&RSA_PKCS1_2048_8192_SHA384) },
    Algorithm { word: "RS512", check: Check::Rsa(&RSA_PKCS1_2048_8192_SHA512) },
    Algorithm { word: "PS256", check: Check::Rsa(&RSA_PSS_2048_8192_SHA256) },
    Algorithm { word: "ES384", check: Check::Ec(Curve::P384, &ECDSA_P384_SHA384_FIXED) },
];

impl Algorithm {
    /// The one with this name; no other is taken.
    pub(crate) fn from_word(word: &str) -> Option<&'static Self> {
        ALGORITHMS.iter().find(|algorithm| algorithm.word == word)
    }

    /// Whether a key is for it.
    pub(crate) fn suits(&self, key: &Key) -> bool {
        let kind = match (&self.check, &key.material) {
            (Check::Rsa(_), Material::Rsa { .. }) => true,
            (Check::Ec(own, _), Material::Ec { curve, .. }) => own == curve,
            _ => false,
        };
        kind && key.algorithm.as_deref().is_none_or(|word| word == self.word)
    }

    /// Whether a key made a signature.
    pub(crate) fn verify(&self, key: &Key, message: &[u8], signature: &[u8]) -> bool {
        match (&self.check, &key.material) {
            (Check::Rsa(parameters), Material::Rsa { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            (Check::Ec(_, algorithm), Material::Ec { point, .. }) => {
                UnparsedPublicKey::new(*algorithm, point).verify(message, signature).is_ok()
            }
            _ => false,
        }
    }
}
