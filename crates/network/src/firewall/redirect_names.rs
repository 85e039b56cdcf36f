//! Leads a container's questions for names to its resolver.

use base::Result;

use super::nftables::{self, Batch, Chain, IPV4, OUTPUT, Table};
use super::rule::{self, Rule};

/// Where containers ask for names.
const RESOLVER: [u8; 4] = [127, 0, 0, 11];

/// Leads what is sent to port 53 of 127.0.0.11 to these ports there, in the network namespace of this thread, which must be a container's.
///
/// # Errors
/// `Unsupported` when the kernel lacks a part of nf_tables; when it refuses.
pub fn redirect_names(udp_port: u16, tcp_port: u16) -> Result<()> {
    let table = Table { family: IPV4, name: "berth-names".to_owned() };
    let lead = |protocol: u8, port| {
        Rule::new()
            .load(rule::DESTINATION4)
            .equals(&RESOLVER)
            .load(rule::TRANSPORT)
            .equals(&[protocol])
            .load(rule::DESTINATION_PORT)
            .equals(&53_u16.to_be_bytes())
            .destination(RESOLVER, port)
    };
    let rules = vec![lead(17, udp_port), lead(6, tcp_port)];
    let mut batch = Batch::default();
    batch.table(&table);
    batch.flush(&table);
    batch.chain(&table, &Chain { name: "output", kind: "nat", hook: OUTPUT, priority: -100, rules });
    batch.commit(&mut nftables::open()?, None)?.into_result("lead a container's questions for names to its resolver")
}
