//! A small writer of ELF64 files, which does not mind lies.

/// A section to write.
#[derive(Clone, Default)]
pub struct Section {
    pub name: &'static str,
    pub kind: u32,
    pub flags: u64,
    pub addr: u64,
    pub data: Vec<u8>,
    pub link: u32,
    pub info: u32,
    pub entsize: u64,
    /// Instead of where it is written.
    pub offset: Option<u64>,
    /// Instead of how long it is.
    pub size: Option<u64>,
}

/// `PROGBITS` that is loaded; executable if `exec`.
pub fn loaded(name: &'static str, exec: bool, addr: u64, data: &[u8]) -> Section {
    Section {
        name,
        kind: 1,
        flags: if exec { 6 } else { 2 },
        addr,
        data: data.to_vec(),
        ..Section::default()
    }
}

/// Where the text of a [`kernel`] begins.
pub const TEXT: u64 = 0xffff_ffff_8100_0000;

/// A little kernel's sections, with build-id `id`; no symbols yet.
pub fn kernel(id: u8) -> Vec<Section> {
    let note = [
        &[4, 0, 0, 0, 8, 0, 0, 0, 3, 0, 0, 0][..],
        b"GNU\0",
        &[id; 8],
    ]
    .concat();
    vec![
        loaded(".text", true, TEXT, &[0x90; 64]),
        loaded("__ex_table", false, TEXT + 0x1000, &[]),
        loaded(".notes", false, TEXT + 0x2000, &note),
    ]
}

/// Name, value, size, section, `st_info`.
pub type Symbol = (&'static str, u64, u64, u16, u8);

/// A `.symtab` and its `.strtab`, which stands at `strtab` in the section table.
pub fn symtab(symbols: &[Symbol], strtab: u32) -> [Section; 2] {
    let (mut table, mut strings) = (vec![0; 24], vec![0]);
    for (name, value, size, section, info) in symbols {
        table.extend((strings.len() as u32).to_le_bytes());
        table.extend([*info, 0]);
        table.extend(section.to_le_bytes());
        table.extend(value.to_le_bytes());
        table.extend(size.to_le_bytes());
        strings.extend(name.as_bytes());
        strings.push(0);
    }
    [
        Section {
            name: ".symtab",
            kind: 2,
            data: table,
            link: strtab,
            info: 1,
            entsize: 24,
            ..Section::default()
        },
        Section {
            name: ".strtab",
            kind: 3,
            data: strings,
            ..Section::default()
        },
    ]
}

/// The file: header, section data, section headers (a null one first, `.shstrtab` last).
pub fn write(etype: u16, sections: &[Section]) -> Vec<u8> {
    let mut out = vec![0; 64];
    out[..8].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
    out[16..18].copy_from_slice(&etype.to_le_bytes());
    out[18..20].copy_from_slice(&62u16.to_le_bytes());
    out[20] = 1;
    let mut names = vec![0];
    let mut headers = vec![0u8; 64];
    let strings = Section {
        name: ".shstrtab",
        kind: 3,
        ..Section::default()
    };
    for s in sections.iter().chain([&strings]) {
        let name = names.len() as u32;
        names.extend(s.name.as_bytes());
        names.push(0);
        let at = out.len() as u64;
        let data = if s.name == ".shstrtab" {
            &names
        } else {
            &s.data
        };
        out.extend(data);
        headers.extend(name.to_le_bytes());
        headers.extend(s.kind.to_le_bytes());
        for word in [
            s.flags,
            s.addr,
            s.offset.unwrap_or(at),
            s.size.unwrap_or(data.len() as u64),
        ] {
            headers.extend(word.to_le_bytes());
        }
        headers.extend(s.link.to_le_bytes());
        headers.extend(s.info.to_le_bytes());
        headers.extend(1u64.to_le_bytes());
        headers.extend(s.entsize.to_le_bytes());
    }
    let shoff = out.len() as u64;
    out.extend(headers);
    out[40..48].copy_from_slice(&shoff.to_le_bytes());
    out[52..54].copy_from_slice(&64u16.to_le_bytes());
    out[58..60].copy_from_slice(&64u16.to_le_bytes());
    let count = sections.len() as u16 + 2;
    out[60..62].copy_from_slice(&count.to_le_bytes());
    out[62..64].copy_from_slice(&(count - 1).to_le_bytes());
    out
}
