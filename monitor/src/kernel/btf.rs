//! Reads BTF, the kernel's description of its own types: where a member of a struct lies, what the numbers of
//! an enum are called, how many parameters a tracepoint passes.
//!
//! The reader borrows the bytes, copies none of them and is total: any bytes give an answer or an error.
//! It lacks what needs more than the kernel's own base BTF: files (the caller reads `/sys/kernel/btf/vmlinux`),
//! the split BTF of modules, comparison of types, 32-bit and big-endian kernels.
//!
//! Format: <https://github.com/torvalds/linux/blob/v6.18/Documentation/bpf/btf.rst>.

use std::{collections::HashSet, str::Utf8Error};

use types::{Kind, MAX_CHAIN, Space, Type, Types};

mod types;

/// A parsed BTF blob that answers questions by name.
#[derive(Debug)]
pub struct BtfReader<'a> {
    types: Types<'a>,
}

/// Where a member lies in the outermost struct, and how to load it.
///
/// An ordinary member is `size` bytes at `offset`. A bitfield is the lowest `bits.width` bits of a little-endian
/// integer of `size` bytes at `offset` after a shift by `bits.shift` to the right. That integer is the smallest of
/// 1, 2, 4 and 8 bytes that covers the bitfield, so a single byte unless the bitfield crosses into the next one. It
/// is aligned to its size if it then still covers the bitfield, else it starts at the bitfield's first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Bytes from the start of the outermost struct.
    pub offset: u32,
    /// Bytes to load; for an array those of all its elements, for a flexible array 0.
    pub size: u32,
    /// Set for a bitfield.
    pub bits: Option<Bits>,
}

/// Which bits of the loaded integer are the bitfield.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bits {
    /// How far to shift right.
    pub shift: u8,
    /// How many bits to keep.
    pub width: u8,
}

/// Why a question about BTF has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages document the variants and their fields")]
pub enum BtfError {
    #[error("reading BTF: the magic number is {0:#06x}, not 0xeb9f")]
    BadMagic(u16),
    #[error("reading BTF: it is big-endian, and only little-endian BTF can be read")]
    ForeignByteOrder,
    #[error("reading BTF: it has version {0}, and only version 1 can be read")]
    UnsupportedVersion(u8),
    #[error("reading BTF: the {what} at byte {offset} is cut short")]
    Truncated { what: &'static str, offset: usize },
    #[error("reading BTF: the string section is not UTF-8")]
    StringsNotUtf8(#[source] Utf8Error),
    #[error("reading BTF: type {type_id} is of the unknown kind {kind}")]
    UnknownKind { kind: u32, type_id: u32 },
    #[error("reading BTF: the string section has no string at byte {offset}")]
    NoSuchString { offset: u32 },
    #[error("reading BTF: there is no type {type_id}, yet it is referred to")]
    NoSuchId { type_id: u32 },
    #[error("reading BTF: what type {type_id} stands for is more than {MAX_CHAIN} types away, or a cycle")]
    TooDeep { type_id: u32 },
    #[error("reading BTF: type {type_id} is {found} and has no size")]
    Unsized { type_id: u32, found: &'static str },
    #[error("the kernel's BTF has no {kind} {name}")]
    NoSuchType { kind: &'static str, name: String },
    #[error("{structure} has no member {member}")]
    NoSuchMember { structure: String, member: String },
    #[error("{structure} has no member {member}.{step}, because {member} is {found}")]
    NotEmbedded { structure: String, member: String, step: String, found: &'static str },
    #[error("{structure} has a member {member} that no load reads: it is too wide, too far or between bytes")]
    NotLoadable { structure: String, member: String },
    #[error("{kind} {name} has no parameters: it leads to {found}")]
    NoParameters { kind: &'static str, name: String, found: &'static str },
}

/// A member on the way to the one that is asked for.
struct Place {
    type_id: u32,
    /// Bits from the start of the outermost struct.
    bit: u64,
    /// Bits of a bitfield, 0 for an ordinary member.
    width: u32,
}

impl<'a> BtfReader<'a> {
    /// Checks the header and the bounds of every type, and indexes the types.
    pub fn parse(data: &'a [u8]) -> Result<Self, BtfError> {
        Ok(Self { types: Types::parse(data)? })
    }

    /// Finds a member by its dotted path, such as `__sk_common.skc_net.net`, in the struct or union of that name.
    ///
    /// Each step is looked for in anonymous structs and unions as well. A step leads into an embedded struct or
    /// union, never through a pointer or an array.
    pub fn member(&self, structure: &str, path: &str) -> Result<Member, BtfError> {
        let root = self.find(Space::Structure, structure)?;
        let kind = if root.kind == Kind::Union { "union" } else { "struct" };
        let structure = || format!("{kind} {structure}");
        let mut place = Place { type_id: root.id, bit: 0, width: 0 };
        let mut walked = 0;
        for step in path.split('.') {
            let member = |length| path.get(..length).unwrap_or(path).to_owned();
            let outer = self.types.unqualified(place.type_id)?;
            if Space::of(outer.kind) != Some(Space::Structure) {
                let (member, step, found) = (member(walked), step.to_owned(), outer.kind.description());
                return Err(BtfError::NotEmbedded { structure: structure(), member, step, found });
            }
            walked += step.len() + usize::from(walked > 0);
            let missing = || BtfError::NoSuchMember { structure: structure(), member: member(walked) };
            place = self.find_in(outer, place.bit, step)?.ok_or_else(missing)?;
        }
        let not_loadable = || BtfError::NotLoadable { structure: structure(), member: path.to_owned() };
        self.load_of(&place)?.ok_or_else(not_loadable)
    }

    /// The enumerators of an enum, in the order of its definition.
    ///
    /// The values are as wide as they are because an enum may hold `u64::MAX` or `i64::MIN`. Kernels before 6.0 do
    /// not record that an enum is signed: their negative enumerators read as large positive ones.
    pub fn enumerators(&self, name: &str) -> Result<Vec<(i128, &'a str)>, BtfError> {
        let ty = self.find(Space::Enumeration, name)?;
        let enumerator = |name, unsigned: u64, signed: i64| {
            let value = if ty.kind_flag { signed.into() } else { unsigned.into() };
            Ok((value, self.types.string(name)?))
        };
        if ty.kind == Kind::Enum64 {
            let wide = ty.records().map(|[name, low, high]| {
                let value = u64::from(high) << 32 | u64::from(low);
                enumerator(name, value, value.cast_signed())
            });
            return wide.collect();
        }
        ty.records().map(|[name, value]| enumerator(name, value.into(), value.cast_signed().into())).collect()
    }

    /// Whether the kernel has a function of that name, static ones included.
    pub fn has_function(&self, name: &str) -> bool {
        self.find(Space::Function, name).is_ok()
    }

    /// The names of a function's parameters, in order.
    pub fn function_parameters(&self, name: &str) -> Result<Vec<&'a str>, BtfError> {
        let function = self.find(Space::Function, name)?;
        let prototype = self.types.unqualified(function.size_or_target)?;
        parameters(prototype, "function", name)?
            .map(|[parameter, _type]| self.types.string(parameter))
            .collect()
    }

    /// How many parameters the functions have that a typedef of a function pointer describes.
    ///
    /// For `btf_trace_tcp_send_reset` these are the arguments of the tracepoint and, before them, `void *__data`.
    /// BTF has no names for them.
    pub fn callback_parameters(&self, typedef: &str) -> Result<usize, BtfError> {
        let mut ty = self.types.unqualified(self.find(Space::Typedef, typedef)?.id)?;
        if ty.kind == Kind::Pointer {
            ty = self.types.unqualified(ty.size_or_target)?;
        }
        Ok(parameters(ty, "typedef", typedef)?.len())
    }

    fn find(&self, space: Space, name: &str) -> Result<Type<'a>, BtfError> {
        let kind = match space {
            Space::Structure => "struct or union",
            Space::Enumeration => "enum",
            Space::Typedef => "typedef",
            Space::Function => "function",
        };
        self.types.find(space, name)?.ok_or_else(|| BtfError::NoSuchType { kind, name: name.to_owned() })
    }

    /// Looks for a name among the members of `outer`, which starts at `bit`, and of the anonymous structs and
    /// unions in it.
    ///
    /// A type that was searched is not searched again: the name was not in it. So a type that contains itself,
    /// which only damaged BTF has, ends the search like any other.
    fn find_in(&self, outer: Type<'a>, bit: u64, name: &str) -> Result<Option<Place>, BtfError> {
        if name.is_empty() {
            return Ok(None);
        }
        let mut pending = vec![(outer, bit)];
        let mut reached = HashSet::from([outer.id]);
        while let Some((structure, start)) = pending.pop() {
            for [member, type_id, offset] in structure.records() {
                // The flag says that the struct has bitfields and that the offsets hold their widths.
                let width = if structure.kind_flag { offset >> 24 } else { 0 };
                let offset = if structure.kind_flag { offset & 0xff_ffff } else { offset };
                let place = Place { type_id, bit: start + u64::from(offset), width };
                let member = self.types.string(member)?;
                if member == name {
                    return Ok(Some(place));
                }
                if member.is_empty() {
                    let inner = self.types.unqualified(type_id)?;
                    if Space::of(inner.kind) == Some(Space::Structure) && reached.insert(inner.id) {
                        pending.push((inner, place.bit));
                    }
                }
            }
        }
        Ok(None)
    }

    fn load_of(&self, place: &Place) -> Result<Option<Member>, BtfError> {
        if place.width > 0 {
            return Ok(covering_integer(place.bit, place.width));
        }
        // Compilers of old put bitfields between bytes without telling their width.
        if !place.bit.is_multiple_of(8) {
            return Ok(None);
        }
        let size = u32::try_from(self.size_of(place.type_id)?);
        let offset = u32::try_from(place.bit / 8);
        Ok(offset.ok().zip(size.ok()).map(|(offset, size)| Member { offset, size, bits: None }))
    }

    /// The size of a type in bytes, at most `u64::MAX`.
    fn size_of(&self, type_id: u32) -> Result<u64, BtfError> {
        let mut elements = 1_u64;
        let mut ty = self.types.unqualified(type_id)?;
        for _ in 0..MAX_CHAIN {
            let size = match ty.kind {
                Kind::Array => {
                    for [element, _index, count] in ty.records() {
                        elements = elements.saturating_mul(count.into());
                        ty = self.types.unqualified(element)?;
                    }
                    continue;
                }
                Kind::Pointer => 8,
                Kind::Int | Kind::Float | Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 => {
                    ty.size_or_target.into()
                }
                _ => {
                    return Err(BtfError::Unsized { type_id, found: ty.kind.description() });
                }
            };
            return Ok(elements.saturating_mul(size));
        }
        Err(BtfError::TooDeep { type_id })
    }
}

fn parameters(
    prototype: Type<'_>,
    kind: &'static str,
    name: &str,
) -> Result<impl ExactSizeIterator<Item = [u32; 2]>, BtfError> {
    if prototype.kind == Kind::Prototype {
        return Ok(prototype.records());
    }
    Err(BtfError::NoParameters { kind, name: name.to_owned(), found: prototype.kind.description() })
}

/// How to load a bitfield, by the rule that `Member` states.
fn covering_integer(bit: u64, width: u32) -> Option<Member> {
    let first_byte = bit / 8;
    for size in [1, 2, 4, 8] {
        for start in [first_byte - first_byte % u64::from(size), first_byte] {
            let shift = bit - start * 8;
            if shift + u64::from(width) <= u64::from(size) * 8 {
                let bits = Bits { shift: u8::try_from(shift).ok()?, width: u8::try_from(width).ok()? };
                return Some(Member { offset: u32::try_from(start).ok()?, size, bits: Some(bits) });
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
