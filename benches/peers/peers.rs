use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use addr2line::{Loader, demangle_auto};
use blazesym::symbolize::source::{Elf, Gsym, GsymFile, Source};
use blazesym::symbolize::{CodeInfo, Input, Symbolized, Symbolizer};
use memmap2::Mmap;
use symbolic_common::ByteView;
use symbolic_debuginfo::Object;
use symbolic_demangle::{Demangle, DemangleOptions};
use symbolic_symcache::{SymCache, SymCacheConverter};

use crate::Result;
use crate::sink::Sink;

/// blazesym: an ELF file with its DWARF, or a GSYM file. It opens files with the first lookup.
pub struct Blazesym {
    symbolizer: Symbolizer,
    source: Source<'static>,
}

impl Blazesym {
    pub fn elf(path: &str) -> Self {
        let mut elf = Elf::new(path);
        elf.debug_syms = true;
        Self::new(Source::Elf(elf))
    }

    pub fn gsym(path: &str) -> Self {
        Self::new(Source::Gsym(Gsym::File(GsymFile::new(path))))
    }

    fn new(source: Source<'static>) -> Self {
        let symbolizer = Symbolizer::builder()
            .enable_code_info(true)
            .enable_inlined_fns(true)
            .build();
        Blazesym { symbolizer, source }
    }

    /// All addresses in one call.
    pub fn answer(&self, addresses: &[u64], sink: &mut Sink) -> Result<()> {
        for symbolized in self
            .symbolizer
            .symbolize(&self.source, Input::VirtOffset(addresses))?
        {
            match symbolized {
                Symbolized::Sym(sym) => {
                    // Inlined functions come outermost first, behind the function they are in.
                    for inlined in sym.inlined.iter().rev() {
                        place(sink, &inlined.name, inlined.code_info.as_ref());
                    }
                    place(sink, &sym.name, sym.code_info.as_deref());
                }
                Symbolized::Unknown(_) => sink.frame(None, None, None, None),
            }
            sink.end();
        }
        Ok(())
    }
}

fn place(sink: &mut Sink, function: &str, code: Option<&CodeInfo>) {
    let directory = code
        .and_then(|code| code.dir.as_deref())
        .and_then(Path::to_str);
    let file = code.and_then(|code| OsStr::to_str(&code.file));
    sink.frame(
        Some(function),
        directory,
        file,
        code.and_then(|code| code.line),
    );
}

/// The addr2line crate, used as its own program does.
pub struct Addr2line(Loader);

impl Addr2line {
    pub fn open(path: &str) -> Result<Self> {
        Ok(Addr2line(Loader::new(path)?))
    }

    fn symbol(&self, address: u64) -> Option<Cow<'_, str>> {
        self.0
            .find_symbol(address)
            .map(|name| demangle_auto(Cow::from(name), None))
    }

    pub fn answer(&self, addresses: &[u64], sink: &mut Sink) -> Result<()> {
        for &address in addresses {
            let mut frames = self.0.find_frames(address)?;
            let mut any = false;
            while let Some(frame) = frames.next()? {
                any = true;
                let function = match &frame.function {
                    Some(function) => Some(function.demangle()?),
                    None => self.symbol(address),
                };
                let location = frame.location.as_ref();
                sink.frame(
                    function.as_deref(),
                    None,
                    location.and_then(|location| location.file),
                    location.and_then(|location| location.line),
                );
            }
            if !any {
                sink.frame(self.symbol(address).as_deref(), None, None, None);
            }
            sink.end();
        }
        Ok(())
    }
}

/// Where kernels are linked to. A SymCache counts from there, and does not tell.
const KERNEL: u64 = 0xffff_ffff_8100_0000;

/// A mapped SymCache.
pub struct Cache(Mmap);

impl Cache {
    pub fn open(path: &str) -> Result<Self> {
        // SAFETY: the file is not changed while it is measured.
        let file = unsafe { Mmap::map(&File::open(path)?)? };
        // So that a bad file shows here.
        SymCache::parse(&file)?;
        Ok(Cache(file))
    }

    pub fn answer(&self, addresses: &[u64], sink: &mut Sink) -> Result<()> {
        let cache = SymCache::parse(&self.0)?;
        for &address in addresses {
            let mut any = false;
            for frame in cache.lookup(address.wrapping_sub(KERNEL)) {
                any = true;
                let name = frame.function().name_for_demangling();
                let function = name.try_demangle(DemangleOptions::name_only());
                let file = frame.file().map(|file| file.full_path());
                sink.frame(Some(&function), None, file.as_deref(), Some(frame.line()));
            }
            if !any {
                sink.frame(None, None, None, None);
            }
            sink.end();
        }
        Ok(())
    }

    pub fn build(elf: &str, path: &str) -> Result<()> {
        let bytes = ByteView::open(elf)?;
        let object = Object::parse(&bytes)?;
        if object.load_address() != KERNEL {
            return Err(format!(
                "{elf}: linked to {:#x}, not {KERNEL:#x}",
                object.load_address()
            )
            .into());
        }
        let mut converter = SymCacheConverter::new();
        converter.process_object(&object)?;
        let mut out = BufWriter::new(File::create(path)?);
        converter.serialize(&mut out)?;
        Ok(out.flush()?)
    }
}
