//! The records of a BTF blob, checked: its types by id and by name, its strings by offset.
//!
//! What lies inside a type is not known here.

use super::BtfError;

/// How many typedefs, qualifiers and array dimensions are followed before a chain counts as a cycle.
/// The kernel stops there too: `MAX_RESOLVE_DEPTH`, <https://github.com/torvalds/linux/blob/v6.18/kernel/bpf/btf.c>.
pub(super) const MAX_CHAIN: u32 = 32;

/// The sections of a BTF blob, with its types indexed.
#[derive(Debug)]
pub(super) struct Types<'a> {
    /// The type section. Every record in it is a whole number of words.
    words: &'a [Word],
    strings: &'a str,
    /// For each kind the bytes that follow the three common words, and the bytes per entry. Empty up to 6.18.
    layout: &'a [Word],
    /// Where the type of id N starts in `words`, at index N − 1.
    starts: Vec<usize>,
    /// The types that can be found by name, in the order of their ids.
    named: Vec<Named>,
}

/// The name spaces. In C a typedef, a function and a struct may share a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    Structure,
    Enumeration,
    Typedef,
    Function,
}

#[derive(Debug)]
struct Named {
    space: Space,
    /// Offset of the name among the strings.
    name: u32,
    id: u32,
}

/// One type, as it is recorded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Type<'a> {
    pub(super) id: u32,
    pub(super) kind: Kind,
    /// What it says differs by kind: bitfields have their width in the offset, the enum is signed.
    pub(super) kind_flag: bool,
    /// Offset of the name among the strings.
    pub(super) name: u32,
    /// The size, or the id of the type this one refers to; the kind tells which.
    pub(super) size_or_target: u32,
    /// Members, enumerators, parameters, or the array's element type and length.
    entries: &'a [Word],
}

/// What sort of type it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Void,
    Int,
    Pointer,
    Array,
    Struct,
    Union,
    Enum,
    Forward,
    Typedef,
    Volatile,
    Const,
    Restrict,
    Function,
    Prototype,
    Variable,
    DataSection,
    Float,
    DeclTag,
    TypeTag,
    Enum64,
    /// Newer than this reader, and skipped by means of the layout section.
    Later,
}

/// The kinds by number, with the words that follow the three common ones and the words per entry.
const KINDS: [(Kind, usize, usize); 20] = [
    (Kind::Void, 0, 0),
    (Kind::Int, 1, 0),
    (Kind::Pointer, 0, 0),
    (Kind::Array, 3, 0),
    (Kind::Struct, 0, 3),
    (Kind::Union, 0, 3),
    (Kind::Enum, 0, 2),
    (Kind::Forward, 0, 0),
    (Kind::Typedef, 0, 0),
    (Kind::Volatile, 0, 0),
    (Kind::Const, 0, 0),
    (Kind::Restrict, 0, 0),
    (Kind::Function, 0, 0),
    (Kind::Prototype, 0, 2),
    (Kind::Variable, 1, 0),
    (Kind::DataSection, 0, 3),
    (Kind::Float, 0, 0),
    (Kind::DeclTag, 1, 0),
    (Kind::TypeTag, 0, 0),
    (Kind::Enum64, 0, 3),
];

type Word = [u8; 4];

impl<'a> Types<'a> {
    /// Checks the header and the bounds of every type.
    pub(super) fn parse(data: &'a [u8]) -> Result<Self, BtfError> {
        match *data {
            [0x9f, 0xeb, 1, ..] => {}
            [0x9f, 0xeb, version, ..] => return Err(BtfError::UnsupportedVersion(version)),
            [0xeb, 0x9f, ..] => return Err(BtfError::ForeignByteOrder),
            [low, high, ..] => return Err(BtfError::BadMagic(u16::from_le_bytes([low, high]))),
            _ => return Err(truncated("header", 0)),
        }
        let Some(&[_, header_len]) = data.as_chunks().0.first_chunk() else {
            return Err(truncated("header", 4));
        };
        let header_len = u32::from_le_bytes(header_len) as usize;
        let header = |index: usize| match data.get(..header_len).unwrap_or(data).as_chunks().0.get(index) {
            Some(&word) => Ok(u32::from_le_bytes(word) as usize),
            None => Err(truncated("header", index * 4)),
        };
        let section = |what, index| {
            let (offset, length) = (header_len.saturating_add(header(index)?), header(index + 1)?);
            let bytes = data.get(offset..offset.saturating_add(length));
            Ok((offset, bytes.ok_or_else(|| truncated(what, offset))?))
        };
        let (types_at, types) = section("type section", 2)?;
        let (_, strings) = section("string section", 4)?;
        // Older headers end before the layout section's place.
        let layout = if header_len < 32 { &[] } else { section("layout section", 6)?.1 };

        let (words, partial_word) = types.as_chunks();
        let strings = str::from_utf8(strings).map_err(BtfError::StringsNotUtf8)?;
        let mut types =
            Self { words, strings, layout: layout.as_chunks().0, starts: Vec::new(), named: Vec::new() };
        let mut start = 0;
        for id in 1.. {
            if start == words.len() {
                break;
            }
            let ty = types.read(start, id)?.ok_or_else(|| truncated("type", types_at + start * 4))?;
            types.starts.push(start);
            if let Some(space) = Space::of(ty.kind) {
                types.named.push(Named { space, name: ty.name, id });
            }
            start += COMMON_WORDS + ty.entries.len();
        }
        if partial_word.is_empty() { Ok(types) } else { Err(truncated("type", types_at + start * 4)) }
    }

    /// The first type of that name. There may be more: different files of the kernel may define a struct each.
    ///
    /// The names are compared one by one: to read all of them for a hash table takes longer than the few dozen
    /// searches at start.
    pub(super) fn find(&self, space: Space, name: &str) -> Result<Option<Type<'a>>, BtfError> {
        if name.is_empty() || name.contains('\0') {
            return Ok(None);
        }
        let has_name = |offset: u32| {
            let tail = self.strings.get(offset as usize..).unwrap_or_default();
            tail.strip_prefix(name).is_some_and(|tail| tail.starts_with('\0'))
        };
        let found = self.named.iter().find(|named| named.space == space && has_name(named.name));
        found.map(|named| self.get(named.id)).transpose()
    }

    pub(super) fn get(&self, type_id: u32) -> Result<Type<'a>, BtfError> {
        let Some(index) = (type_id as usize).checked_sub(1) else {
            return Ok(Type {
                id: 0,
                kind: Kind::Void,
                kind_flag: false,
                name: 0,
                size_or_target: 0,
                entries: &[],
            });
        };
        let start = self.starts.get(index).ok_or(BtfError::NoSuchId { type_id })?;
        self.read(*start, type_id)?.ok_or(BtfError::NoSuchId { type_id })
    }

    /// The type without the typedefs and qualifiers around it.
    pub(super) fn unqualified(&self, type_id: u32) -> Result<Type<'a>, BtfError> {
        let mut ty = self.get(type_id)?;
        for _ in 0..MAX_CHAIN {
            match ty.kind {
                Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag => {
                    ty = self.get(ty.size_or_target)?;
                }
                _ => return Ok(ty),
            }
        }
        Err(BtfError::TooDeep { type_id })
    }

    /// The string at that offset; the empty one stands for a missing name.
    pub(super) fn string(&self, offset: u32) -> Result<&'a str, BtfError> {
        let tail = self.strings.get(offset as usize..).unwrap_or_default();
        tail.split_once('\0').map(|(string, _)| string).ok_or(BtfError::NoSuchString { offset })
    }

    /// The type that starts at that word, or nothing where the section ends within it.
    fn read(&self, start: usize, id: u32) -> Result<Option<Type<'a>>, BtfError> {
        let words = self.words.get(start..).unwrap_or_default();
        let Some((common, rest)) = words.split_first_chunk::<COMMON_WORDS>() else {
            return Ok(None);
        };
        let [name, info, size_or_target] = common.map(u32::from_le_bytes);
        // Bits 16–23 and 29–30 are 0 up to 6.18; later they widen the count and the kind.
        let (count, kind) = (info & 0xff_ffff, info >> 24 & 0x7f);
        let (kind, fixed, each) = self.shape(kind).ok_or(BtfError::UnknownKind { kind, type_id: id })?;
        let entries = rest.get(..fixed + each * count as usize);
        let kind_flag = info >> 31 == 1;
        Ok(entries.map(|entries| Type { id, kind, kind_flag, name, size_or_target, entries }))
    }

    fn shape(&self, kind: u32) -> Option<(Kind, usize, usize)> {
        if let Some(shape) = KINDS.get(kind as usize) {
            return (shape.0 != Kind::Void).then_some(*shape);
        }
        let [fixed, each, _, _] = self.layout.get(kind as usize)?.map(usize::from);
        (fixed % 4 == 0 && each % 4 == 0).then_some((Kind::Later, fixed / 4, each / 4))
    }
}

/// Name, kind and count, size or target.
const COMMON_WORDS: usize = 3;

impl Type<'_> {
    /// What follows the common words, in records of `N` words.
    pub(super) fn records<const N: usize>(self) -> impl ExactSizeIterator<Item = [u32; N]> {
        self.entries.as_chunks::<N>().0.iter().map(|record| record.map(u32::from_le_bytes))
    }
}

impl Space {
    /// Where types of that kind are found by name.
    pub(super) fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Struct | Kind::Union => Some(Self::Structure),
            Kind::Enum | Kind::Enum64 => Some(Self::Enumeration),
            Kind::Typedef => Some(Self::Typedef),
            Kind::Function => Some(Self::Function),
            _ => None,
        }
    }
}

impl Kind {
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Void => "void",
            Self::Int => "an integer",
            Self::Pointer => "a pointer",
            Self::Array => "an array",
            Self::Struct => "a struct",
            Self::Union => "a union",
            Self::Enum | Self::Enum64 => "an enum",
            Self::Forward => "a struct or union without a definition",
            Self::Typedef => "a typedef",
            Self::Volatile | Self::Const | Self::Restrict => "a qualifier",
            Self::Function => "a function",
            Self::Prototype => "a function prototype",
            Self::Variable => "a variable",
            Self::DataSection => "a data section",
            Self::Float => "a floating-point number",
            Self::DeclTag | Self::TypeTag => "a tag",
            Self::Later => "of a kind that this reader does not know",
        }
    }
}

fn truncated(what: &'static str, offset: usize) -> BtfError {
    BtfError::Truncated { what, offset }
}
