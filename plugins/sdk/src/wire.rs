//! The little of the protobuf wire format that nested values need.

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct WireField<'a> {
    pub number: u32,
    pub payload: Payload<'a>,
    /// The field as it stands, tag included.
    pub raw: &'a [u8],
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Payload<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    /// 32 bits: nothing that a value has, but an unknown field may.
    Fixed32,
}

/// The fields of a message, in their order; ends at the first byte that makes no sense.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub fn of(message: &'a [u8]) -> Self {
        Fields { rest: message }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = WireField<'a>;

    fn next(&mut self) -> Option<WireField<'a>> {
        let message = self.rest;
        let mut rest = message;
        let tag = varint(&mut rest)?;
        let payload = match tag & 7 {
            0 => Payload::Varint(varint(&mut rest)?),
            1 => Payload::Fixed64(u64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?)),
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                Payload::Bytes(take(&mut rest, length)?)
            }
            5 => take(&mut rest, 4).map(|_| Payload::Fixed32)?,
            _ => return None,
        };
        self.rest = rest;
        let raw = message.get(..message.len() - rest.len())?;
        Some(WireField { number: u32::try_from(tag >> 3).ok()?, payload, raw })
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, left) = rest.split_first()?;
        *rest = left;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Writes a varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Writes a length-delimited field.
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_varint(out, u64::from(number) << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
