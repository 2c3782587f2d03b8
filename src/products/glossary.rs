//! The words of this project, each in a few sentences.

/// A word.
#[derive(PartialEq, Eq, Debug)]
pub struct Word {
    /// As it is written.
    pub name: &'static str,
    /// What it means.
    pub text: &'static str,
}

const fn word(name: &'static str, text: &'static str) -> Word {
    Word { name, text }
}

/// All words, sorted.
pub static WORDS: [Word; 24] = [
    word(
        "attribution",
        "The answer to which function an address belongs to: the function or all candidates, with basis, certainty and evidence. What others print, the nearest symbol, stands beside it.",
    ),
    word(
        "baseline",
        "What validate found in a build that was good enough: with --baseline only what is new since then fails. Findings are known by image, check, function, kind of place and number, not by address.",
    ),
    word(
        "basis",
        "How the function of an address is known: symbol (a sized symbol covers it), cold (a cold part; the function is its parent), fixup (fixup code; the function is the origin), trampoline (a thunk), anonymous (text that nothing is known of), user, none.",
    ),
    word(
        "certainty",
        "How sure an attribution is: exact (this function), ambiguous (one of the candidates, all of which are listed), unknown.",
    ),
    word(
        "cold part",
        "Code that the compiler moved out of a function to .text.unlikely, under a symbol of its own: NAME.cold. It belongs to its parent, which the kernel's livepatch check does not know.",
    ),
    word(
        "complete",
        "A stack that is reliable, and of which every frame is attributed exactly, up to where user mode or the thread began. More than the kernel asks for.",
    ),
    word(
        "edge",
        "How the call before a return address leads to the frame inside: direct, by tail calls, indirect; or it contradicts it, and then the stack is broken there or a function is missing.",
    ),
    word(
        "evidence",
        "What speaks for an origin: extable (a row of the exception table leads to the landing), control-flow (the landing's code goes back to it), call-site (the caller calls this function), values (what the caller passed comes to this instruction only).",
    ),
    word(
        "extable",
        "The exception table, __ex_table: for each instruction that may fault, where execution goes on, and how the kernel prepares that. It has to be sorted, as the kernel searches it by halves.",
    ),
    word(
        "fixup",
        "Code that runs after a fault of an instruction that is in the exception table. Up to Linux 5.16 most of it lay in anonymous text, .fixup, so that backtraces through it name the nearest earlier symbol.",
    ),
    word(
        "index",
        "A file (.fxi) with all that answers need of one image: symbols, ORC, fixups, lines. It does not hold what validate reads.",
    ),
    word(
        "landing",
        "Where execution goes on after a fault: the fixup address of a row of the exception table. Several instructions, of several functions, may share one.",
    ),
    word(
        "link address",
        "An address as it stands in the image; a runtime address is that plus the slide. validate tells link addresses only; those of a module count as inspect shows them.",
    ),
    word(
        "live",
        "A function is live on a stack when its code runs or will be returned to: also when its fixup code, its cold part or an inlined copy of it is there, or when a tracer took its return address.",
    ),
    word(
        "nearest",
        "The last symbol not above an address. It is what the kernel prints, and in text without symbols it is wrong.",
    ),
    word(
        "ORC",
        "The kernel's own unwind tables, made by objtool: for each range of code where the caller's stack pointer, frame pointer and return address are. 4.14 and later.",
    ),
    word(
        "origin",
        "The function whose instruction faulted, so that execution is in its fixup: what a backtrace should name there.",
    ),
    word(
        "reliable",
        "A stack on which the kernel itself would rely for livepatching: stack_trace_save_tsk_reliable() of that release returns it without an error. It does not mean that every name in it is right.",
    ),
    word(
        "return site",
        "The instruction behind a call: the address that a stack holds while the call runs. Looked up at the call, one byte before, as the call may be the last instruction.",
    ),
    word(
        "severity",
        "Of a finding: error (a stack is unwound wrongly, or a fault is handled wrongly), warning (it may mislead, or stops a walk that needs not be stopped), note (good to know: every kernel has some).",
    ),
    word(
        "slide",
        "Runtime address minus link address: KASLR's offset for the kernel, where it was loaded for a module.",
    ),
    word(
        "standing",
        "What a finding counts as: new, known (it is in the baseline) or allowed (by --allow or the configuration). Only new ones fail.",
    ),
    word(
        "stop",
        "Why a stack has no more frames: its end, user mode, or what could not be read or was contradicted.",
    ),
    word(
        "trust",
        "How the PC of a frame was obtained, best first: registers, saved-registers (by an exception), orc+cfi (both tables agree), orc, cfi, recovered (from a tracer), frame-pointer, text, scanned (found on the stack, nobody vouches for it).",
    ),
];
