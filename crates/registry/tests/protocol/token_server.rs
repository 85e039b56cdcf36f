//! Signs tokens that `docker-registry` accepts (distribution specification, *Token Authentication Implementation*).

use super::certificates::{KEY, openssl};
use super::server::{Seen, Server, reply};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::json;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

pub const ISSUER: &str = "berth test issuer";
pub const SERVICE: &str = "berth test service";

/// A server that gives the user `u` with the password `p` whatever is asked for, and everybody else nothing. `folder` gets `signer.pem`.
pub fn start(folder: &Path) -> Server {
    openssl(folder, &format!("req -x509 {KEY} -days 2 -subj /CN=signer -keyout signer.key -out signer.pem"));
    openssl(folder, "pkcs8 -topk8 -nocrypt -in signer.key -outform DER -out signer.der");
    openssl(folder, "x509 -in signer.pem -outform DER -out signer.crt");
    let random = ring::rand::SystemRandom::new();
    let key = std::fs::read(folder.join("signer.der")).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key, &random).unwrap();
    let certificate = BASE64_STANDARD.encode(std::fs::read(folder.join("signer.crt")).unwrap());
    Server::plain(move |seen| {
        let access = match seen.header("authorization") {
            Some("Basic dTpw") => scopes(seen),
            Some(_) => return reply(401).body(r#"{"details":"incorrect username or password"}"#),
            None => Vec::new(),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [certificate]});
        let claims = json!({"iss": ISSUER, "sub": "u", "aud": SERVICE, "exp": now + 300, "nbf": now - 10, "iat": now, "jti": "1", "access": access});
        let encode = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(&header), encode(&claims));
        let signature = key.sign(&random, message.as_bytes()).unwrap();
        let token = format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature));
        reply(200).body(json!({"token": token, "expires_in": 300}).to_string().as_str())
    })
}

/// What the query asks for, granted.
fn scopes(seen: &Seen) -> Vec<serde_json::Value> {
    let query = seen.target.split_once('?').map_or("", |(_, query)| query);
    let scopes = query.split('&').filter_map(|pair| pair.strip_prefix("scope="));
    let decoded = scopes.map(|scope| scope.replace("%3A", ":").replace("%2F", "/").replace("%2C", ","));
    decoded
        .map(|scope| {
            let parts: Vec<&str> = scope.split(':').collect();
            json!({"type": parts[0], "name": parts[1], "actions": parts[2].split(',').collect::<Vec<_>>()})
        })
        .collect()
}
