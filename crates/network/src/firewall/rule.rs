//! A rule of nf_tables, put together from expressions (`enum nft_*_attributes` of `linux/netfilter/nf_tables.h`).
//!
//! What is loaded goes into registers of four bytes, one after the other, until something looks at it.

use super::attributes::Attributes;

/// `NFT_REG32_00`, and how many there are.
const FIRST: u32 = 8;
/// `NF_DROP` and `NF_ACCEPT`.
const DROP: u32 = 0;
const ACCEPT: u32 = 1;

/// Something of a packet, with its length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// `enum nft_meta_keys`.
    Meta(u32, u32),
    /// `enum nft_ct_keys`; four bytes.
    Connection(u32),
    /// `enum nft_payload_bases`, offset, length.
    Payload(u32, u32, u32),
    /// The type of the address that the packet goes to, where it is (`fib daddr type`).
    DestinationType,
}

pub(super) const PROTOCOL: Load = Load::Meta(1, 2);
pub(super) const INPUT: Load = Load::Meta(6, 16);
pub(super) const OUTPUT: Load = Load::Meta(7, 16);
pub(super) const FAMILY: Load = Load::Meta(15, 1);
pub(super) const TRANSPORT: Load = Load::Meta(16, 1);
/// The kind of an interface, as `ip -details link` shows it.
pub(super) const INPUT_KIND: Load = Load::Meta(26, 16);
pub(super) const OUTPUT_KIND: Load = Load::Meta(27, 16);
pub(super) const STATE: Load = Load::Connection(0);
pub(super) const STATUS: Load = Load::Connection(2);
pub(super) const SOURCE4: Load = Load::Payload(1, 12, 4);
pub(super) const DESTINATION4: Load = Load::Payload(1, 16, 4);
pub(super) const SOURCE6: Load = Load::Payload(1, 8, 16);
pub(super) const DESTINATION6: Load = Load::Payload(1, 24, 16);
/// The sender's address in ARP for IPv4 over Ethernet (RFC 826).
pub(super) const ARP_SENDER: Load = Load::Payload(1, 14, 4);
pub(super) const DESTINATION_PORT: Load = Load::Payload(2, 2, 2);
/// Of ICMPv6 (RFC 4443, section 2.1) and of neighbour solicitations and advertisements (RFC 4861, section 4).
pub(super) const ICMP_TYPE: Load = Load::Payload(2, 0, 1);
pub(super) const TARGET: Load = Load::Payload(2, 8, 16);

impl Load {
    const fn length(self) -> u32 {
        match self {
            Self::Meta(_, length) | Self::Payload(_, _, length) => length,
            Self::Connection(_) | Self::DestinationType => 4,
        }
    }
}

/// Where `dnat` finds what it puts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dnat {
    /// An address.
    Address,
    /// An address and a port.
    AddressAndPort,
}

/// The expressions of a rule, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Rule {
    expressions: Attributes,
    /// The registers in use, in four bytes each.
    used: u32,
}

impl Rule {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The list for `NFTA_RULE_EXPRESSIONS`.
    pub(super) const fn expressions(&self) -> &Attributes {
        &self.expressions
    }

    fn expression(mut self, name: &str, data: &Attributes) -> Self {
        let expression = Attributes::default().text(1, name).nested(2, data);
        self.expressions = self.expressions.nested(1, &expression);
        self
    }

    /// Appends `load` to what is looked at next.
    pub(super) fn load(mut self, load: Load) -> Self {
        let register = FIRST + self.used;
        self.used += load.length().div_ceil(4);
        let data = Attributes::default();
        match load {
            Load::Meta(key, _) => self.expression("meta", &data.number(1, register).number(2, key)),
            Load::Connection(key) => self.expression("ct", &data.number(1, register).number(2, key)),
            Load::Payload(base, offset, length) => {
                let data = data.number(1, register).number(2, base).number(3, offset).number(4, length);
                self.expression("payload", &data)
            }
            // `NFT_FIB_RESULT_ADDRTYPE`, `NFTA_FIB_F_DADDR`.
            Load::DestinationType => self.expression("fib", &data.number(1, register).number(2, 3).number(3, 2)),
        }
    }

    fn compare(mut self, operation: u32, value: &[u8]) -> Self {
        self.used = 0;
        let data = Attributes::default().number(1, FIRST).number(2, operation);
        self.expression("cmp", &data.nested(3, &Attributes::default().bytes(1, value)))
    }

    /// Goes on when what is loaded is `value`.
    pub(super) fn equals(self, value: &[u8]) -> Self {
        self.compare(0, value)
    }

    /// Goes on when what is loaded is not `value`.
    pub(super) fn differs(self, value: &[u8]) -> Self {
        self.compare(1, value)
    }

    /// Goes on when one of the `bits`, in the host's order, is set in what is loaded.
    pub(super) fn has_any(self, bits: u32) -> Self {
        let value = |bits: u32| Attributes::default().bytes(1, &bits.to_ne_bytes());
        let data = Attributes::default().number(1, FIRST).number(2, FIRST).number(3, 4);
        let masked = self.expression("bitwise", &data.nested(4, &value(bits)).nested(5, &value(0)));
        masked.differs(&0_u32.to_ne_bytes())
    }

    fn lookup(mut self, set: &str, more: impl FnOnce(Attributes) -> Attributes) -> Self {
        self.used = 0;
        let data = Attributes::default().text(1, set).number(2, FIRST);
        self.expression("lookup", &more(data))
    }

    /// Goes on when what is loaded is in `set`.
    pub(super) fn within(self, set: &str) -> Self {
        self.lookup(set, |data| data)
    }

    /// Goes on when what is loaded is not in `set`.
    pub(super) fn outside(self, set: &str) -> Self {
        // `NFT_LOOKUP_F_INV`.
        self.lookup(set, |data| data.number(5, 1))
    }

    /// Ends with the destination that `map` has for what is loaded; goes on with the next rule where it has none.
    pub(super) fn destination_of(self, map: &str, family: u8, dnat: Dnat) -> Self {
        self.lookup(map, |data| data.number(3, FIRST)).dnat(family, dnat)
    }

    /// Ends with the destination `address`, in an IPv4 table, and `port`.
    pub(super) fn destination(self, address: [u8; 4], port: u16) -> Self {
        self.immediate(FIRST, &address).immediate(FIRST + 1, &port.to_be_bytes()).dnat(2, Dnat::AddressAndPort)
    }

    fn dnat(self, family: u8, dnat: Dnat) -> Self {
        let port = FIRST + if family == 2 { 1 } else { 4 };
        let data = Attributes::default().number(1, 1).number(2, family.into()).number(3, FIRST);
        let data = match dnat {
            Dnat::Address => data,
            // `NF_NAT_RANGE_PROTO_SPECIFIED`, which the kernel sets itself.
            Dnat::AddressAndPort => data.number(5, port),
        };
        self.expression("nat", &data)
    }

    fn immediate(self, register: u32, value: &[u8]) -> Self {
        let data = Attributes::default().number(1, register);
        self.expression("immediate", &data.nested(2, &Attributes::default().bytes(1, value)))
    }

    /// Ends with the address of the interface by which the packet leaves.
    pub(super) fn masquerade(self) -> Self {
        self.expression("masq", &Attributes::default())
    }

    /// Counts.
    pub(super) fn counter(self) -> Self {
        self.expression("counter", &Attributes::default())
    }

    /// A comment that iptables-save shows: the match `comment` of x_tables, in 256 bytes.
    pub(super) fn iptables_comment(self, comment: &str) -> Self {
        let mut text: Vec<u8> = comment.bytes().take(255).collect();
        text.resize(256, 0);
        self.expression("match", &Attributes::default().text(1, "comment").number(2, 0).bytes(3, &text))
    }

    fn verdict(self, code: u32) -> Self {
        let verdict = Attributes::default().number(1, code);
        let data = Attributes::default().number(1, 0).nested(2, &Attributes::default().nested(2, &verdict));
        self.expression("immediate", &data)
    }

    /// Ends the chain with the packet let through.
    pub(super) fn accept(self) -> Self {
        self.verdict(ACCEPT)
    }

    /// Ends the packet.
    pub(super) fn drop(self) -> Self {
        self.verdict(DROP)
    }
}
