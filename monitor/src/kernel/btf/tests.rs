//! What the reader answers on small BTF made here and on the running kernel's, and that no bytes make it panic.

use std::fs;

use proptest::prelude::*;

use super::{Bits, BtfError, BtfReader, Member, covering_integer};

const INT: u32 = 1;
const POINTER: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const FORWARD: u32 = 7;
const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
const CONST: u32 = 10;
const FUNCTION: u32 = 12;
const PROTOTYPE: u32 = 13;
const TYPE_TAG: u32 = 18;
const ENUM64: u32 = 19;
/// Bit 31 of a type's second word.
const FLAG: u32 = 1 << 31;

/// Writes BTF. Ids are given in the order of `add`, from 1.
struct Builder {
    types: Vec<u32>,
    strings: Vec<u8>,
    next_id: u32,
}

impl Builder {
    fn new() -> Self {
        Self { types: Vec::new(), strings: vec![0], next_id: 1 }
    }

    fn string(&mut self, string: &str) -> u32 {
        if string.is_empty() {
            return 0;
        }
        let offset = u32::try_from(self.strings.len()).expect("test strings are short");
        self.strings.extend(string.bytes().chain([0]));
        offset
    }

    /// Adds a type. `info` is its kind, with `FLAG` or not; `count` and `words` are as the format has them.
    fn add(&mut self, info: u32, name: &str, count: u32, size_or_target: u32, words: &[u32]) -> u32 {
        let name = self.string(name);
        self.types.extend([name, info << 24 | info & FLAG | count, size_or_target]);
        self.types.extend(words);
        self.next_id += 1;
        self.next_id - 1
    }

    /// Adds a type that is followed by named entries of one or two more words.
    fn add_named<const N: usize>(
        &mut self,
        info: u32,
        name: &str,
        size: u32,
        entries: &[(&str, [u32; N])],
    ) -> u32 {
        let words: Vec<u32> =
            entries.iter().flat_map(|(name, rest)| [self.string(name)].into_iter().chain(*rest)).collect();
        let count = u32::try_from(entries.len()).expect("test types are small");
        self.add(info, name, count, size, &words)
    }

    fn header(&self) -> [u32; 6] {
        let types = u32::try_from(self.types.len() * 4).expect("test types are small");
        let strings = u32::try_from(self.strings.len()).expect("test strings are short");
        [0x0001_eb9f, 24, 0, types, types, strings]
    }

    fn build(&self) -> Vec<u8> {
        let words = self.header().into_iter().chain(self.types.iter().copied());
        words.flat_map(u32::to_le_bytes).chain(self.strings.iter().copied()).collect()
    }
}

/// Every construct that the reader knows, sane and insane.
fn sample() -> Builder {
    let mut btf = Builder::new();
    let u8_ = btf.add(INT, "unsigned char", 0, 1, &[8]);
    let u32_ = btf.add(INT, "unsigned int", 0, 4, &[32]);
    let u64_ = btf.add(INT, "unsigned long", 0, 8, &[64]);
    let konst = btf.add(CONST, "", 0, u32_, &[]);
    let volatile = btf.add(VOLATILE, "", 0, konst, &[]);
    let tagged = btf.add(TYPE_TAG, "rcu", 0, volatile, &[]);
    let number = btf.add(TYPEDEF, "number_t", 0, tagged, &[]);
    let row = btf.add(ARRAY, "", 0, 0, &[number, u32_, 3]);
    let grid = btf.add(ARRAY, "", 0, 0, &[row, u32_, 5]);

    btf.add(FORWARD, "outer", 0, 0, &[]);
    let pointer = btf.add(POINTER, "", 0, btf.next_id + 3, &[]);
    let inner = btf.add_named(STRUCT, "inner", 8, &[("first", [u32_, 0]), ("second", [u32_, 32])]);
    let anonymous_struct = btf.add_named(STRUCT, "", 8, &[("low", [u32_, 0]), ("high", [u32_, 32])]);
    btf.add_named(UNION, "either", 8, &[("whole", [u64_, 0]), ("", [anonymous_struct, 0])]);
    let anonymous_union = btf.next_id - 1;
    let qualified = btf.add(CONST, "", 0, anonymous_union, &[]);
    let void = btf.add(CONST, "", 0, 0, &[]);
    let members: [(&str, [u32; 2]); 8] = [
        ("byte", [u8_, 0]),
        ("embedded", [inner, 32]),
        ("", [qualified, 128]),
        ("pointer", [pointer, 192]),
        ("number", [number, 256]),
        ("grid", [grid, 288]),
        ("nothing", [void, 0]),
        ("crooked", [u32_, 3]),
    ];
    btf.add_named(STRUCT, "outer", 96, &members);
    btf.add_named(STRUCT, "outer", 1, &[("of_another_file", [u8_, 0])]);

    let bitfields = [
        ("one", [u32_, 1 << 24]),
        ("five", [u32_, 5 << 24 | 3]),
        ("over_edge", [u32_, 4 << 24 | 0xe]),
        ("middle", [u32_, 24 << 24 | 0x28]),
        ("plain", [u8_, 96]),
        ("longest", [u64_, 64 << 24 | 128]),
        ("too_wide", [u64_, 62 << 24 | 0x83]),
    ];
    let flags = btf.add_named(STRUCT | FLAG, "flags", 24, &bitfields);
    btf.add_named(STRUCT, "holder", 32, &[("pad", [u8_, 0]), ("", [flags, 64])]);

    btf.add_named(ENUM, "unsigned_enum", 4, &[("ZERO", [0]), ("MOST", [u32::MAX])]);
    btf.add_named(ENUM | FLAG, "signed_enum", 4, &[("MINUS_ONE", [u32::MAX]), ("ONE", [1])]);
    btf.add_named(ENUM64, "unsigned_enum64", 8, &[("MOST", [u32::MAX, u32::MAX]), ("LOW", [1, 0])]);
    btf.add_named(ENUM64 | FLAG, "signed_enum64", 8, &[("MINUS_ONE", [u32::MAX, u32::MAX])]);

    let prototype = btf.add_named(PROTOTYPE, "", 0, &[("sk", [pointer]), ("skb", [pointer])]);
    btf.add(FUNCTION, "send", 1, prototype, &[]);
    let prototype_pointer = btf.add(POINTER, "", 0, prototype, &[]);
    let callback = btf.add(TYPEDEF, "callback", 0, prototype_pointer, &[]);
    btf.add(TYPEDEF, "callback_alias", 0, callback, &[]);
    btf.add(FUNCTION, "not_a_function", 1, number, &[]);

    let cycle = btf.next_id;
    btf.add(TYPEDEF, "round", 0, cycle + 1, &[]);
    btf.add(CONST, "", 0, cycle, &[]);
    let array_cycle = btf.next_id;
    btf.add(ARRAY, "", 0, 0, &[array_cycle, u32_, u32::MAX]);
    let self_containing = btf.next_id;
    btf.add_named(STRUCT, "snake", 8, &[("", [self_containing, 8]), ("", [self_containing, 16])]);
    let insane = [
        ("cycle", [cycle, 0]),
        ("array_cycle", [array_cycle, 0]),
        ("snake", [self_containing, 0]),
        ("nowhere", [0xdead_beef, 0]),
    ];
    btf.add_named(STRUCT, "insane", 8, &insane);
    let huge = btf.add(ARRAY, "", 0, 0, &[u64_, u32_, u32::MAX]);
    let huger = btf.add(ARRAY, "", 0, 0, &[huge, u32_, u32::MAX]);
    btf.add_named(STRUCT, "giant", 8, &[("huge", [huge, 0]), ("huger", [huger, 0])]);
    btf
}

/// Types to ask for, the empty one among them.
const NAMES: &str = "outer inner either flags holder snake insane giant unsigned_enum signed_enum unsigned_enum64 \
    signed_enum64 send not_a_function number_t callback callback_alias round sock sk_rst_reason tcp_reset \
    btf_trace_tcp_send_reset \0 é ";

/// Members to ask for, the empty one among them.
const PATHS: &str = "byte embedded embedded.second embedded.first.x low high whole pointer pointer.x number grid \
    nothing crooked one over_edge too_wide longest cycle cycle.x array_cycle snake.x nowhere nowhere.x huge huger \
    __sk_common.skc_net.net . .. byte. é.é ";

/// Asks all there is to ask. The answers do not matter: they have to come, and without a panic.
fn ask_everything(data: &[u8]) {
    let Ok(btf) = BtfReader::parse(data) else { return };
    for name in NAMES.split(' ') {
        for path in PATHS.split(' ') {
            let _: Result<Member, BtfError> = btf.member(name, path);
        }
        let _: Result<Vec<(i128, &str)>, BtfError> = btf.enumerators(name);
        let _: bool = btf.has_function(name);
        let _: Result<Vec<&str>, BtfError> = btf.function_parameters(name);
        let _: Result<usize, BtfError> = btf.callback_parameters(name);
    }
}

fn running_kernel() -> Vec<u8> {
    let path = "/sys/kernel/btf/vmlinux";
    fs::read(path).unwrap_or_else(|error| {
        panic!("reading {path}: {error}; these tests need a kernel built with CONFIG_DEBUG_INFO_BTF=y")
    })
}

fn member(offset: u32, size: u32) -> Member {
    Member { offset, size, bits: None }
}

fn bitfield(offset: u32, size: u32, shift: u8, width: u8) -> Member {
    Member { offset, size, bits: Some(Bits { shift, width }) }
}

#[test]
fn members_are_found() {
    let data = sample().build();
    let btf = BtfReader::parse(&data).expect("the sample is well-formed");
    let check = |structure, path, expected| {
        assert_eq!(btf.member(structure, path), Ok(expected), "{structure}.{path}");
    };
    check("outer", "byte", member(0, 1));
    check("outer", "embedded", member(4, 8));
    check("outer", "embedded.second", member(8, 4));
    check("outer", "whole", member(16, 8));
    check("outer", "high", member(20, 4));
    check("either", "high", member(4, 4));
    check("outer", "pointer", member(24, 8));
    check("outer", "number", member(32, 4));
    check("outer", "grid", member(36, 5 * 3 * 4));
    check("flags", "one", bitfield(0, 1, 0, 1));
    check("flags", "five", bitfield(0, 1, 3, 5));
    check("flags", "over_edge", bitfield(1, 2, 6, 4));
    check("flags", "middle", bitfield(4, 4, 8, 24));
    check("flags", "plain", member(12, 1));
    check("flags", "longest", bitfield(16, 8, 0, 64));
    check("holder", "five", bitfield(8, 1, 3, 5));
}

/// Struct and path, then what the error says.
const REFUSALS: &str = "\
sock x: the kernel's BTF has no struct or union sock
number_t x: the kernel's BTF has no struct or union number_t
 low: the kernel's BTF has no struct or union
outer bytes_acked: struct outer has no member bytes_acked
outer of_another_file: struct outer has no member of_another_file
outer embedded.third.x: struct outer has no member embedded.third
outer embedded..x: struct outer has no member embedded.
outer : struct outer has no member
either x: union either has no member x
outer pointer.low: struct outer has no member pointer.low, because pointer is a pointer
outer grid.low: struct outer has no member grid.low, because grid is an array
flags one.low: struct flags has no member one.low, because one is an integer
outer nothing: reading BTF: type 16 is void and has no size
outer crooked: struct outer has a member crooked that no load reads: it is too wide, too far or between bytes
flags too_wide: struct flags has a member too_wide that no load reads: it is too wide, too far or between bytes
giant huge: struct giant has a member huge that no load reads: it is too wide, too far or between bytes
giant huger: struct giant has a member huger that no load reads: it is too wide, too far or between bytes
snake x: struct snake has no member x
insane snake.x: struct insane has no member snake.x
insane nowhere: reading BTF: there is no type 3735928559, yet it is referred to
insane cycle: reading BTF: what type 31 stands for is more than 32 types away, or a cycle
insane array_cycle: reading BTF: what type 33 stands for is more than 32 types away, or a cycle";

#[test]
fn missing_and_impossible_members_are_named() {
    let data = sample().build();
    let btf = BtfReader::parse(&data).expect("the sample is well-formed");
    for row in REFUSALS.lines() {
        let (question, expected) = row.split_once(": ").expect("a row has a colon");
        let (structure, path) = question.split_once(' ').expect("a question has a space");
        let error = btf.member(structure, path).expect_err(row);
        assert_eq!(error.to_string().trim_end(), expected);
    }
    // The two names follow each other in the string section.
    let error = btf.member("inner\0low", "first").expect_err("no name has a NUL in it");
    assert!(matches!(error, BtfError::NoSuchType { .. }), "{error}");
}

#[test]
fn enumerators_keep_their_signs() {
    let data = sample().build();
    let btf = BtfReader::parse(&data).expect("the sample is well-formed");
    let check =
        |name, expected: &[(i128, &str)]| assert_eq!(btf.enumerators(name), Ok(expected.to_vec()), "{name}");
    check("unsigned_enum", &[(0, "ZERO"), (u32::MAX.into(), "MOST")]);
    check("signed_enum", &[(-1, "MINUS_ONE"), (1, "ONE")]);
    check("unsigned_enum64", &[(u64::MAX.into(), "MOST"), (1 << 32 >> 32, "LOW")]);
    check("signed_enum64", &[(-1, "MINUS_ONE")]);
    let error = btf.enumerators("outer").expect_err("a struct is not an enum");
    assert_eq!(error.to_string(), "the kernel's BTF has no enum outer");
}

#[test]
fn parameters_are_counted_and_named() {
    let data = sample().build();
    let btf = BtfReader::parse(&data).expect("the sample is well-formed");
    assert!(btf.has_function("send"));
    assert!(!btf.has_function("callback"));
    assert_eq!(btf.function_parameters("send"), Ok(vec!["sk", "skb"]));
    assert_eq!(btf.callback_parameters("callback"), Ok(2));
    assert_eq!(btf.callback_parameters("callback_alias"), Ok(2));
    let error = btf.function_parameters("not_a_function").expect_err("it leads to an integer");
    assert_eq!(error.to_string(), "function not_a_function has no parameters: it leads to an integer");
    let error = btf.callback_parameters("number_t").expect_err("it leads to an integer");
    assert_eq!(error.to_string(), "typedef number_t has no parameters: it leads to an integer");
    let error = btf.callback_parameters("round").expect_err("it leads to itself");
    assert_eq!(error, BtfError::TooDeep { type_id: 31 });
}

#[test]
fn damaged_headers_and_types_are_named() {
    let check = |data: &[u8], expected: &str| {
        let error = BtfReader::parse(data).expect_err("this BTF must be refused");
        assert_eq!(error.to_string(), expected);
    };
    let good = sample().build();
    let patched = |at: usize, bytes: &[u8]| {
        let mut data = good.clone();
        data[at..at + bytes.len()].copy_from_slice(bytes);
        data
    };
    check(&[], "reading BTF: the header at byte 0 is cut short");
    check(&good[..11], "reading BTF: the header at byte 8 is cut short");
    check(b"\x7fELF", "reading BTF: the magic number is 0x457f, not 0xeb9f");
    check(
        &patched(0, &[0xeb, 0x9f]),
        "reading BTF: it is big-endian, and only little-endian BTF can be read",
    );
    check(&patched(2, &[2]), "reading BTF: it has version 2, and only version 1 can be read");
    check(&patched(4, &[16]), "reading BTF: the header at byte 16 is cut short");
    check(&patched(8, &[0xff; 4]), "reading BTF: the type section at byte 4294967319 is cut short");
    let strings_at = 24 + sample().types.len() * 4;
    let cut_strings = format!("reading BTF: the string section at byte {strings_at} is cut short");
    check(&patched(23, &[1]), &cut_strings);
    check(&patched(12, &[10, 0]), "reading BTF: the type at byte 24 is cut short");
    check(&patched(12, &[18, 0]), "reading BTF: the type at byte 40 is cut short");
    // The first type, an integer, becomes a struct of more members than there are bytes.
    check(&patched(28, &[0xff, 0xff, 0, 4]), "reading BTF: the type at byte 24 is cut short");
    check(&patched(31, &[0]), "reading BTF: type 1 is of the unknown kind 0");
    check(&patched(31, &[20]), "reading BTF: type 1 is of the unknown kind 20");
    check(&patched(good.len() - 2, &[0xff]), "reading BTF: the string section is not UTF-8");
}

#[test]
fn kinds_of_the_layout_section_are_skipped() {
    let mut btf = Builder::new();
    btf.add(20, "later", 2, 0, &[1, 2, 3, 4, 5]);
    btf.add_named(ENUM, "after", 4, &[("HERE", [7])]);
    let [magic, _, types_at, types, strings_at, strings] = btf.header();
    // Kind 20 has one word and two more per entry.
    let layout = [[0_u8; 4]; 20].into_iter().chain([[4, 8, 0, 0]]).flatten();
    let header = [magic, 32, types_at, types, strings_at, strings, strings_at + strings, 21 * 4];
    let words = header.into_iter().chain(btf.types.iter().copied()).flat_map(u32::to_le_bytes);
    let data: Vec<u8> = words.chain(btf.strings.iter().copied()).chain(layout).collect();
    let btf = BtfReader::parse(&data).expect("the layout tells how to skip type 1");
    assert_eq!(btf.enumerators("after"), Ok(vec![(7, "HERE")]));
}

#[test]
fn the_running_kernel_answers() {
    let data = running_kernel();
    let btf = BtfReader::parse(&data).expect("the running kernel's BTF is well-formed");
    let size = |structure, path, expected| {
        let member = btf.member(structure, path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((member.size, member.bits), (expected, None), "{structure}.{path}");
        member.offset
    };
    // These sizes are the same on all kernels from 5.10 on, and so is the start of struct sock_common.
    assert_eq!(size("sock_common", "skc_daddr", 4), 0);
    assert_eq!(size("sock_common", "skc_rcv_saddr", 4), 4);
    assert_eq!(size("sock_common", "skc_addrpair", 8), 0);
    assert_eq!(size("sock_common", "skc_family", 2), 16);
    let state = size("sock_common", "skc_state", 1);
    assert_eq!(size("tcp_sock", "inet_conn.icsk_inet.sk.__sk_common.skc_state", 1), state);
    assert_eq!(size("sock", "__sk_common.skc_net.net", 8), size("sock_common", "skc_net", 8));
    size("tcp_sock", "snd_una", 4);
    size("tcp_sock", "bytes_acked", 8);
    size("inet_connection_sock", "icsk_ack.lrcvtime", 4);
    size("sock", "sk_socket", 8);
    size("sk_buff", "head", 8);
    size("sk_buff", "network_header", 2);
    size("sk_buff", "cb", 48);
    size("task_struct", "comm", 16);
    size("net", "ns.inum", 4);
    for (structure, path) in
        [("tcp_sock", "repair"), ("sock", "sk_kern_sock"), ("sock_common", "skc_reuseport")]
    {
        let member = btf.member(structure, path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((member.size, member.bits.map(|bits| bits.width)), (1, Some(1)), "{structure}.{path}");
    }

    let reasons = btf.enumerators("sk_rst_reason").unwrap_or_default();
    let first = reasons.first().map(|(number, name)| (*number, *name));
    assert!(matches!(first, None | Some((0, "SK_RST_REASON_NOT_SPECIFIED"))), "{first:?}");
    // void *__data, sk, skb and, where the kernel has reasons, the reason.
    let expected = if reasons.is_empty() { 3 } else { 4 };
    assert_eq!(btf.callback_parameters("btf_trace_tcp_send_reset"), Ok(expected));
    assert_eq!(btf.callback_parameters("btf_trace_tcp_receive_reset"), Ok(2));
    assert_eq!(btf.callback_parameters("btf_trace_inet_sock_set_state"), Ok(4));
    assert_eq!(btf.function_parameters("tcp_v4_rcv"), Ok(vec!["skb"]));
    assert!(!btf.has_function("resetmon_is_no_kernel_function"));
}

#[test]
fn every_prefix_is_answered() {
    let sample = sample();
    let data = sample.build();
    for end in 0..data.len() {
        ask_everything(&data[..end]);
    }
    // Types that end early, in a blob that is otherwise whole.
    for types in 0..u32::try_from(sample.types.len() * 4).expect("the sample is small") {
        let mut data = data.clone();
        data[12..16].copy_from_slice(&types.to_le_bytes());
        ask_everything(&data);
    }
}

/// Words that mean something: ids, offsets, kinds with counts, huge numbers.
fn telling_word() -> impl Strategy<Value = u32> {
    prop_oneof![
        0..64_u32,
        any::<u32>(),
        (0..32_u32, 0..8_u32, any::<bool>())
            .prop_map(|(kind, count, flag)| kind << 24 | count | u32::from(flag) << 31),
        Just(u32::MAX),
    ]
}

proptest! {
    #[test]
    fn random_bytes_are_answered(data in prop::collection::vec(any::<u8>(), 0..300)) {
        ask_everything(&data);
    }

    #[test]
    fn random_headers_are_answered(header in prop::array::uniform7(telling_word())) {
        let words = [0x0001_eb9f].into_iter().chain(header).flat_map(u32::to_le_bytes);
        let data: Vec<u8> = words.chain(sample().build()).collect();
        ask_everything(&data);
    }

    #[test]
    fn random_types_are_answered(types in prop::collection::vec(telling_word(), 0..60)) {
        let mut btf = sample();
        btf.types = types;
        ask_everything(&btf.build());
    }

    #[test]
    fn replaced_words_are_answered(changes in prop::collection::vec((any::<prop::sample::Index>(), telling_word()), 1..6)) {
        let mut btf = sample();
        for (index, word) in changes {
            *index.get_mut(&mut btf.types) = word;
        }
        ask_everything(&btf.build());
    }

    #[test]
    fn replaced_bytes_are_answered(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut data = sample().build();
        for (index, byte) in changes {
            *index.get_mut(&mut data) = byte;
        }
        ask_everything(&data);
    }

    /// Reads a bitfield by the rule of `Member` and bit by bit.
    #[test]
    fn bitfields_are_read_whole(memory in prop::array::uniform32(any::<u8>()), bit in 0..128_u32, width in 1..=64_u32) {
        let Some(Member { offset, size, bits: Some(bits) }) = covering_integer(bit.into(), width) else {
            prop_assert!(bit % 8 + width > 64);
            return Ok(());
        };
        let load = (0..size).fold(0, |load, byte| load | u64::from(memory[(offset + byte) as usize]) << (byte * 8));
        let value = load >> bits.shift & (u64::MAX >> (64 - bits.width));
        let expected = (0..width).fold(0, |value, index| {
            let at = bit + index;
            value | u64::from(memory[(at / 8) as usize] >> (at % 8) & 1) << index
        });
        prop_assert_eq!(value, expected);
        prop_assert_eq!(size == 1, bit % 8 + width <= 8);
        prop_assert!(offset % size == 0 || offset == bit / 8);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_damaged_kernel_is_answered(
        types in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40),
    ) {
        let mut data = running_kernel();
        // Only types: almost any change to the strings ends in "not UTF-8".
        let types_len = data[12..16].iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
        for (index, byte) in changes {
            *index.get_mut(&mut data[24..24 + types_len]) = byte;
        }
        ask_everything(&data[..types.index(data.len())]);
        ask_everything(&data);
        let types = u32::try_from(types.index(types_len)).unwrap_or(0) / 4 * 4;
        data[12..16].copy_from_slice(&types.to_le_bytes());
        ask_everything(&data);
    }
}
