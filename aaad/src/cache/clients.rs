//! RADIUS clients by source address, and the NAS behind them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use daemon::secrets::Keyring;
use ipnetwork::IpNetwork;
use model::nas::{Client, Ipv6Counters, Nas, Signing, Vendor, derived_nas_id};
use model::policy::{Body, Change, Key};
use model::{ClientId, NasGroupId, NasId, OrganisationId, Sealed};
use radius_wire::ClientKey;
use rustc_hash::FxHashMap;
use tracing::warn;

/// A client ready for packets: its secrets are opened and their HMAC states computed.
pub(crate) struct ClientEntry {
    pub(crate) id: ClientId,
    pub(crate) organisation: OrganisationId,
    pub(crate) source: IpNetwork,
    pub(crate) key: ClientKey,
    pub(crate) previous: Option<ClientKey>,
    /// During a rotation: the last packet that proved a key proved the previous one.
    on_previous: AtomicBool,
    pub(crate) nas: Option<NasId>,
    pub(crate) vendor: Vendor,
    /// What becomes of its unsigned Access-Requests.
    pub(crate) signing: Signing,
}

/// A NAS.
pub(crate) struct NasEntry {
    pub(crate) id: NasId,
    pub(crate) name: String,
    pub(crate) organisation: OrganisationId,
    pub(crate) vendor: Vendor,
    /// What becomes of its unsigned Access-Requests.
    pub(crate) signing: Signing,
    pub(crate) coa_address: Option<IpAddr>,
    pub(crate) coa_port: u16,
    pub(crate) coa_key: Option<ClientKey>,
    pub(crate) accepts_coa: bool,
    pub(crate) ipv6_counters: Ipv6Counters,
    /// Says which address pools it may use.
    pub(crate) group: Option<NasGroupId>,
    /// Published by billing; false for one only seen here so far.
    pub(crate) published: bool,
}

impl ClientEntry {
    /// Whether it is one address and no prefix.
    pub(crate) fn is_host(&self) -> bool {
        is_host(self.source)
    }

    /// The key the client uses now, as far as it has proven one; then the other one.
    pub(crate) fn keys(&self) -> (&ClientKey, Option<&ClientKey>) {
        match &self.previous {
            Some(previous) if self.on_previous.load(Ordering::Relaxed) => {
                (previous, Some(&self.key))
            }
            previous => (&self.key, previous.as_ref()),
        }
    }

    /// A packet proved the other key of [`ClientEntry::keys`].
    pub(crate) fn switch_key(&self) {
        self.on_previous.fetch_xor(true, Ordering::Relaxed);
    }
}

impl NasEntry {
    /// A NAS on first sight behind a client.
    pub(crate) fn seen(client: &ClientEntry, name: &[u8]) -> Self {
        Self {
            id: derived_nas_id(client.id, name),
            name: String::from_utf8_lossy(name).into_owned(),
            organisation: client.organisation,
            vendor: client.vendor,
            signing: client.signing,
            coa_address: None,
            coa_port: model::nas::COA_PORT,
            coa_key: None,
            accepts_coa: true,
            ipv6_counters: Ipv6Counters::default(),
            group: None,
            published: false,
        }
    }

    /// Where CoA goes for a session whose packets come from `source`.
    pub(crate) fn coa_target(&self, source: IpAddr) -> SocketAddr {
        SocketAddr::from((self.coa_address.unwrap_or(source), self.coa_port))
    }
}

/// The table. Cloned and swapped by the writer; a few thousand pointers at most.
#[derive(Clone, Default)]
pub(crate) struct ClientTable {
    by_id: FxHashMap<ClientId, Arc<ClientEntry>>,
    hosts: FxHashMap<IpAddr, Arc<ClientEntry>>,
    /// The longest prefix first.
    prefixes: Vec<Arc<ClientEntry>>,
    nas: FxHashMap<NasId, Arc<NasEntry>>,
}

impl ClientTable {
    /// The client a packet from this address belongs to: the longest prefix that covers it.
    pub(crate) fn find(&self, source: IpAddr) -> Option<&Arc<ClientEntry>> {
        self.hosts.get(&source).or_else(|| self.prefixes.iter().find(|c| c.source.contains(source)))
    }

    /// A client by id.
    pub(crate) fn client(&self, id: ClientId) -> Option<&Arc<ClientEntry>> {
        self.by_id.get(&id)
    }

    /// Every client.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<ClientEntry>> {
        self.by_id.values()
    }

    /// A NAS by id.
    pub(crate) fn nas(&self, id: NasId) -> Option<&Arc<NasEntry>> {
        self.nas.get(&id)
    }

    /// A NAS by its id as text, or by name.
    pub(crate) fn find_nas(&self, text: &str) -> Option<&Arc<NasEntry>> {
        match text.parse::<NasId>() {
            Ok(id) => self.nas.get(&id),
            Err(_) => self.nas.values().find(|nas| nas.name == text),
        }
    }

    pub(crate) fn client_count(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn nas_count(&self) -> usize {
        self.nas.len()
    }

    pub(crate) fn published_nas_count(&self) -> usize {
        self.nas.values().filter(|nas| nas.published).count()
    }

    /// NAS that are only seen so far.
    pub(crate) fn seen_count(&self) -> usize {
        self.nas.values().filter(|nas| !nas.published).count()
    }

    pub(crate) fn add_seen(&mut self, nas: Arc<NasEntry>) {
        self.nas.entry(nas.id).or_insert(nas);
    }

    pub(crate) fn keep_seen_of(&mut self, older: &ClientTable) {
        for nas in older.nas.values().filter(|nas| !nas.published) {
            self.add_seen(nas.clone());
        }
    }

    /// Applies the change of a client or a NAS.
    pub(crate) fn apply(&mut self, change: &Change, keyring: &Keyring) {
        match (change.key, &change.body) {
            (Key::Client(id), body) => {
                self.remove_client(id);
                if let Some(Body::Client(client)) = body {
                    self.add_client(client, keyring);
                }
            }
            (Key::Nas(id), Some(Body::Nas(nas))) => {
                self.nas.insert(id, Arc::new(open_nas(nas, keyring)));
            }
            (Key::Nas(id), _) => {
                self.nas.remove(&id);
            }
            _ => {}
        }
    }

    fn remove_client(&mut self, id: ClientId) {
        self.by_id.remove(&id);
        self.hosts.retain(|_, client| client.id != id);
        self.prefixes.retain(|client| client.id != id);
    }

    fn add_client(&mut self, client: &Client, keyring: &Keyring) {
        let bound = client.id.to_string();
        let Some(key) = open_secret(&client.secret, &bound, keyring) else { return };
        let previous =
            client.previous_secret.as_ref().and_then(|s| open_secret(s, &bound, keyring));
        let entry = Arc::new(ClientEntry {
            id: client.id,
            organisation: client.organisation,
            source: client.source,
            key,
            previous,
            on_previous: AtomicBool::new(false),
            nas: client.nas,
            vendor: client.vendor,
            signing: client.signing,
        });
        self.by_id.insert(client.id, entry.clone());
        if is_host(client.source) {
            self.hosts.insert(client.source.ip(), entry);
        } else {
            let longer = |c: &Arc<ClientEntry>| c.source.prefix() >= entry.source.prefix();
            let at = self.prefixes.partition_point(longer);
            self.prefixes.insert(at, entry);
        }
    }
}

fn is_host(network: IpNetwork) -> bool {
    match network {
        IpNetwork::V4(v4) => v4.prefix() == 32,
        IpNetwork::V6(v6) => v6.prefix() == 128,
    }
}

fn open_nas(nas: &Nas, keyring: &Keyring) -> NasEntry {
    let bound = nas.id.to_string();
    NasEntry {
        id: nas.id,
        name: nas.name.clone(),
        organisation: nas.organisation,
        vendor: nas.vendor,
        signing: nas.signing,
        coa_address: nas.coa_address,
        coa_port: nas.coa_port,
        coa_key: nas.coa_secret.as_ref().and_then(|s| open_secret(s, &bound, keyring)),
        accepts_coa: nas.accepts_coa,
        ipv6_counters: nas.ipv6_counters,
        group: nas.group,
        published: true,
    }
}

/// A secret that does not open leaves its client out: its packets are counted as unknown,
/// which is better than answering them with a wrong key.
fn open_secret(sealed: &Sealed, bound: &str, keyring: &Keyring) -> Option<ClientKey> {
    match keyring.open(bound, sealed) {
        Ok(secret) => Some(ClientKey::new(secret.expose())),
        Err(error) => {
            warn!(record = bound, %error, "the secret of a RADIUS client or NAS does not open");
            None
        }
    }
}
