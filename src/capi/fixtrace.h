/*
 * The C interface of fixtrace: names the function behind any PC of an x86_64 Linux kernel, and says how it is known.
 *
 * What comes back. A function that may fail gives NULL then, and puts an error where its last argument points; where
 * that is NULL, the error is dropped. It stores NULL there when it did not fail: an error that is still there must be
 * freed before. Nothing else is given with an error.
 *
 * Whose it is. Everything that is given has one owner, who frees it with the function named for its type; what stands
 * in it is freed with it. Freeing NULL does nothing. What was freed, and what was given by nothing of this interface,
 * must not be passed. A session may be freed while results of it are in use, and options once they were passed on.
 *
 * Threads. A session may be used by several threads at once. Results do not change: several threads may read one, and
 * none may while it is freed. Options and an error belong to one thread at a time.
 *
 * Arguments. NULL where something is needed, and text that is not UTF-8, give an error of kind "argument", as does a
 * register that there is none of. Paths are bytes that end with NUL, in any encoding. A pointer that is not NULL must
 * point to what its type says, text must end with NUL or have the length that is passed beside it, and none of it may
 * change during the call. An `int` that is asked a question is yes unless it is 0.
 *
 * Results. Strings end with NUL, are UTF-8, and are those that the JSON has; a NUL in a name is shown as U+FFFD. They
 * are not escaped: whoever shows names of files or symbols on a terminal may want to. NULL is a string that is not
 * known, FIXTRACE_UNKNOWN an address or number that is not. Addresses and offsets are in bytes. A list is a count and
 * an array of so many pointers, which is NULL where the count is 0.
 *
 * Growth. Fields are only added at the end of structs, and only this library makes them, `fixtrace_regs` left out:
 * they must be reached by the pointers given, and not be copied. Words such as "fixup" may be joined by others.
 *
 * Faults. A panic in the library is an error of kind "panic", and what the session holds stays usable; its message is
 * written on standard error, too, as Rust does. Files are mapped: one that is cut while a session has it raises SIGBUS
 * in the thread that reads behind its new end. One that is replaced as a whole, by renaming, does not. Nothing
 * is read from the environment, and no signal handler is set.
 *
 * Made by tests/embed from src/capi; it is not edited by hand.
 */

#ifndef FIXTRACE_H
#define FIXTRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// An address or a number that is not known.
#define FIXTRACE_UNKNOWN UINT64_MAX

// RAX is known.
#define FIXTRACE_RAX (1 << 0)

// RCX is known.
#define FIXTRACE_RCX (1 << 1)

// RDX is known.
#define FIXTRACE_RDX (1 << 2)

// RBX is known.
#define FIXTRACE_RBX (1 << 3)

// RSP is known.
#define FIXTRACE_RSP (1 << 4)

// RBP is known.
#define FIXTRACE_RBP (1 << 5)

// RSI is known.
#define FIXTRACE_RSI (1 << 6)

// RDI is known.
#define FIXTRACE_RDI (1 << 7)

// R8 is known.
#define FIXTRACE_R8 (1 << 8)

// R9 is known.
#define FIXTRACE_R9 (1 << 9)

// R10 is known.
#define FIXTRACE_R10 (1 << 10)

// R11 is known.
#define FIXTRACE_R11 (1 << 11)

// R12 is known.
#define FIXTRACE_R12 (1 << 12)

// R13 is known.
#define FIXTRACE_R13 (1 << 13)

// R14 is known.
#define FIXTRACE_R14 (1 << 14)

// R15 is known.
#define FIXTRACE_R15 (1 << 15)

// RIP is known.
#define FIXTRACE_RIP (1 << 16)

// CS is known.
#define FIXTRACE_CS (1 << 17)

// RAX to R15, RIP and CS are known.
#define FIXTRACE_ALL_REGS ((1 << 18) - 1)

// Why something could not be done.
typedef struct fixtrace_error fixtrace_error;

// What a session is to open, and where it may look. Nothing else decides. What is wrong with an option is said when
// the session is opened.
typedef struct fixtrace_options fixtrace_options;

// Images of one kernel, opened when they are needed.
typedef struct fixtrace_session fixtrace_session;

// Text.
typedef struct fixtrace_text {
  // Its bytes. They end with a NUL, which is not counted; of an annotated log they are what the log has, UTF-8 or not,
  // NULs included.
  const char *bytes;
  // How many.
  size_t length;
} fixtrace_text;

// An image.
typedef struct fixtrace_image {
  // "vmlinux", the module's name, or the file's.
  const char *name;
  // The file, in bytes as the system has them.
  const char *path;
  // Its build-id, in hexadecimal digits.
  const char *build_id;
  // The release of the kernel that it is, or is for.
  const char *release;
  // Runtime minus link address, modulo 2^64.
  uint64_t slide;
} fixtrace_image;

// Images that are open.
typedef struct fixtrace_images {
  // How many.
  size_t count;
  // The vmlinux first.
  const struct fixtrace_image *const *images;
} fixtrace_images;

// A faulting instruction that leads to a PC in a fixup.
typedef struct fixtrace_origin {
  // The function that owns it.
  const char *function;
  // Bytes from the function to it.
  uint64_t offset;
  // Where it is: a runtime address if that is known, else a link address, as the landing.
  uint64_t address;
  // Its handler, or the type of its entry in __ex_table.
  const char *handler;
  // What the handler does to registers.
  const char *effect;
  // How many witnesses there are.
  size_t evidence_count;
  // "extable", "control-flow", "call-site", "values".
  const char *const *evidence;
} fixtrace_origin;

// A call in source code.
typedef struct fixtrace_inline {
  // The function.
  const char *function;
  // Source file.
  const char *file;
  // Line, from 1; 0 where it is not known.
  uint32_t line;
  // Column, from 1; 0 where it is not known.
  uint32_t column;
} fixtrace_inline;

// A frame: a place where code was running, and which function it belongs to.
typedef struct fixtrace_frame {
  // For fixtrace_frame_json.
  const void *whole;
  // The function, and where in it; all candidates; the nearest symbol; or the address: what is known best, to show.
  const char *text;
  // Runtime address.
  uint64_t pc;
  // Link address in `image`.
  uint64_t address;
  // Whether these are of the instruction behind a call, which is the one that was looked up.
  bool is_return;
  // "vmlinux", a module's name, or a path.
  const char *image;
  // The nearest symbol: what others print.
  const char *symbol;
  // Bytes from it to the PC.
  uint64_t symbol_offset;
  // Its ELF size in bytes.
  uint64_t symbol_size;
  // The function, where it is certain.
  const char *function;
  // The source-level function of a .part, .isra or .constprop clone.
  const char *parent;
  // How the function is known: "symbol", "cold", "fixup", "anonymous", "trampoline", "user", "none".
  const char *basis;
  // How sure it is: "exact", "ambiguous", "unknown".
  const char *certainty;
  // How the PC was obtained: "registers", "saved-registers", "orc+cfi", "orc", "cfi", "frame-pointer", "recovered",
  // "text", "scanned".
  const char *trust;
  // How many functions it could be.
  size_t candidate_count;
  // Their names, sorted by address.
  const char *const *candidates;
  // Where the handler sent execution, for a PC in a fixup.
  uint64_t landing;
  // How many faulting instructions lead to the PC.
  size_t origin_count;
  // Each of them.
  const struct fixtrace_origin *const *origins;
  // How many calls there are in source code, inlined ones included.
  size_t inline_count;
  // Each of them, innermost first; the last is the physical function. Of the faulting instruction for a PC in a fixup.
  const struct fixtrace_inline *const *inlines;
  // How many remarks there are.
  size_t remark_count;
  // What else was noticed, in words.
  const char *const *remarks;
  // The frame's address: the caller's stack pointer before the call. Of frames of a stack.
  uint64_t cfa;
  // The kind of stack it is on, as the kernel names it: "TASK", "IRQ", ... Of frames of a stack.
  const char *stack;
  // How the call before its PC leads to the frame inside: "direct", "tail", "indirect", "broken". Of frames of a stack.
  const char *call;
} fixtrace_frame;

// Frames.
typedef struct fixtrace_frames {
  // How many.
  size_t count;
  // Each of them.
  const struct fixtrace_frame *const *frames;
} fixtrace_frames;

// A function that is live on a stack: what a livepatch must not change under a task's feet.
typedef struct fixtrace_live {
  // Its name.
  const char *name;
  // The image that it is of.
  const char *image;
  // Its first byte there, a link address; of an inlined one there is none.
  uint64_t address;
  // The frame, by its number in the stack.
  size_t frame;
  // "running", "called", "inlined", "fixup", "cold", "tracer".
  const char *why;
  // Of an inlined one the function that it is inlined into, of a cold part's parent the part, the tracer.
  const char *by;
  // Whether it is certain: else it is one of several that the frame may be of.
  bool certain;
} fixtrace_live;

// A stack.
typedef struct fixtrace_stack {
  // For fixtrace_stack_json.
  const void *whole;
  // How many frames there are.
  size_t frame_count;
  // Each of them, innermost first.
  const struct fixtrace_frame *const *frames;
  // Why there are no more: "end", "user-mode", "unreadable", ...
  const char *stop;
  // The same in words.
  const char *stop_detail;
  // The kernel's verdict on the trace, as livepatching asks for it: 1 reliable, 0 unreliable, -1 where that cannot be
  // decided.
  int reliable;
  // What keeps it from being reliable, or what was assumed where it is; NULL where there is nothing to say.
  const char *reliable_why;
  // Whether the outermost frame was reached and every frame is attributed exactly: 1 or 0.
  int complete;
  // What keeps it from being complete; NULL where it is.
  const char *complete_why;
  // How many functions are live in the kernel.
  size_t function_count;
  // Each of them, frame by frame.
  const struct fixtrace_live *const *functions;
} fixtrace_stack;

// Registers, and which of them are known.
typedef struct fixtrace_regs {
  // Which are known: bits FIXTRACE_RAX and so on. A field without its bit is not read: those that are added later are not. Without RIP and RSP there is no stack.
  uint64_t known;
  // RAX
  uint64_t rax;
  // RCX
  uint64_t rcx;
  // RDX
  uint64_t rdx;
  // RBX
  uint64_t rbx;
  // RSP
  uint64_t rsp;
  // RBP
  uint64_t rbp;
  // RSI
  uint64_t rsi;
  // RDI
  uint64_t rdi;
  // R8
  uint64_t r8;
  // R9
  uint64_t r9;
  // R10
  uint64_t r10;
  // R11
  uint64_t r11;
  // R12
  uint64_t r12;
  // R13
  uint64_t r13;
  // R14
  uint64_t r14;
  // R15
  uint64_t r15;
  // RIP
  uint64_t rip;
  // Kernel mode where it is not known.
  uint64_t cs;
} fixtrace_regs;

// Reads memory: fills `buffer` with the `length` bytes from the runtime address `address` on, and returns 0; or returns
// another number where not all of them can be read. It is called by the thread that asked, before that gets its answer.
// It may ask the session, and must not throw or jump out.
typedef int (*fixtrace_read)(void *context, uint64_t address, void *buffer, size_t length);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of the library, as "1.2.3". It need not be freed.
const char *fixtrace_version(void);

// What is wrong, on one line, or with the files that were tried on lines below it; with file and offset where they are
// known. It is there as long as the error, and empty for NULL.
const char *fixtrace_error_message(const struct fixtrace_error *error);

// The class of an error, to branch on: "argument", "panic", "io", "not-found", "no-image", "no-release", "no-output",
// "contradiction", "not-an-elf", "wrong-arch", "truncated", "malformed", "unsupported", "beyond-limit",
// "missing-section", "unknown-symbol", "wrong-image"; more may come. It is there as long as the error, and empty for
// NULL.
const char *fixtrace_error_kind(const struct fixtrace_error *error);

// Frees an error.
void fixtrace_error_free(struct fixtrace_error *error);

// Frees text.
void fixtrace_text_free(struct fixtrace_text *text);

// Options that name nothing: debug files are looked for in /usr/lib/debug, there are no indexes, and answers have source
// lines. NULL only after a panic.
struct fixtrace_options *fixtrace_options_new(void);

// Frees options.
void fixtrace_options_free(struct fixtrace_options *options);

// The kernel's image: ELF, also packed, a bzImage, or an index of one.
void fixtrace_options_vmlinux(struct fixtrace_options *options, const char *file);

// Symbols of the kernel's image, from a System.map or a copy of /proc/kallsyms instead of its own.
void fixtrace_options_symbols(struct fixtrace_options *options, const char *file);

// One more module, whose core text begins at the runtime address `at`; it is found by name only where that is
// FIXTRACE_UNKNOWN.
void fixtrace_options_module(struct fixtrace_options *options, const char *file, uint64_t at);

// One more directory that is searched for modules, with all below it.
void fixtrace_options_modules_dir(struct fixtrace_options *options, const char *directory);

// One more directory of debug files, laid out as /usr/lib/debug; the first one stands instead of that.
void fixtrace_options_debug_dir(struct fixtrace_options *options, const char *directory);

// Below what files of processes lie, when they are of another machine.
void fixtrace_options_sysroot(struct fixtrace_options *options, const char *directory);

// Images are read out of their indexes in `directory`, which makes opening them fast. If `write` is not 0, an image
// that has none gets one, and old ones are thrown out when all take more than `max_bytes`.
void fixtrace_options_index(struct fixtrace_options *options, const char *directory, uint64_t max_bytes, int write);

// Runtime minus link address of the kernel (KASLR), modulo 2^64. Dumps and most logs tell it themselves.
void fixtrace_options_slide(struct fixtrace_options *options, uint64_t slide);

// The release (`uname -r`) whose image is looked for when none is named.
void fixtrace_options_release(struct fixtrace_options *options, const char *release);

// Whether images are used that are proved to be others.
void fixtrace_options_force(struct fixtrace_options *options, int force);

// Whether answers have source lines: yes, unless told.
void fixtrace_options_lines(struct fixtrace_options *options, int lines);

// What an input may cost: `name` is one of the names that `fixtrace --help` lists at `--limit`, such as "work" or
// "unpacked", `amount` what it is set to, in bytes or as a count.
void fixtrace_options_limit(struct fixtrace_options *options, const char *name, uint64_t amount);

// Opens what `options` name, which stay the caller's.
//
// Errors: "argument" for an option that is none; "no-image" where they name neither an image nor a release;
// "not-found", which lists what was tried; what is wrong with a file that was named.
struct fixtrace_session *fixtrace_open(const struct fixtrace_options *options, struct fixtrace_error **error);

// A session that has nothing open yet: `fixtrace_stacks` opens what the options name, or looks for what a dump is of.
//
// Errors: "argument" for an option that is none.
struct fixtrace_session *fixtrace_session_new(const struct fixtrace_options *options, struct fixtrace_error **error);

// The same session for one more owner; NULL for NULL. It is closed when the last one frees it.
struct fixtrace_session *fixtrace_session_clone(const struct fixtrace_session *session);

// Frees a session.
void fixtrace_session_free(struct fixtrace_session *session);

// What was noticed since this was asked last: images that could not be used, files that were refused, what limits left
// out. A line for each, with its end; errors may go on in lines that are indented. Empty where there is nothing.
struct fixtrace_text *fixtrace_noticed(const struct fixtrace_session *session, struct fixtrace_error **error);

// The images that are open.
struct fixtrace_images *fixtrace_session_images(const struct fixtrace_session *session, struct fixtrace_error **error);

// Frees a list of images.
void fixtrace_images_free(struct fixtrace_images *images);

// The function at a runtime address: one frame, also where no image has it. If `is_return` is not 0, the address is a
// return address, and the call before it is looked up.
struct fixtrace_frames *fixtrace_attribute(const struct fixtrace_session *session,
                                           uint64_t address,
                                           int is_return,
                                           struct fixtrace_error **error);

// The same with the return address of the next frame outwards, which may tell apart functions that share a fixup.
struct fixtrace_frames *fixtrace_attribute_called(const struct fixtrace_session *session,
                                                  uint64_t address,
                                                  int is_return,
                                                  uint64_t caller,
                                                  struct fixtrace_error **error);

// The places that `place` may mean: an address, "symbol+offset/size", "module:symbol".
//
// Errors: "unknown-symbol" where it is no place in the images, with the reason.
struct fixtrace_frames *fixtrace_find(const struct fixtrace_session *session,
                                      const char *place,
                                      struct fixtrace_error **error);

// Frees frames that were given by themselves; those of a stack are freed with it.
void fixtrace_frames_free(struct fixtrace_frames *frames);

// A frame as JSON on one line, without its end: fixtrace.frame/1.
struct fixtrace_text *fixtrace_frame_json(const struct fixtrace_frame *frame, struct fixtrace_error **error);

// The stack from `regs` on, out of memory that `read` reads; `context` is handed to it as it is. If `is_return` is not
// 0, RIP is a return address, as that of a task that sleeps. At most `max_frames` frames, or 4096 where that is 0.
//
// Errors: "argument" alone; a stack that cannot be read to its end says so in `stop`.
struct fixtrace_stack *fixtrace_unwind(const struct fixtrace_session *session,
                                       const struct fixtrace_regs *regs,
                                       int is_return,
                                       fixtrace_read read,
                                       void *context,
                                       uint32_t max_frames,
                                       struct fixtrace_error **error);

// Frees a stack, with its frames.
void fixtrace_stack_free(struct fixtrace_stack *stack);

// A stack as JSON on one line, without its end: fixtrace.trace/1.
struct fixtrace_text *fixtrace_stack_json(const struct fixtrace_stack *stack, struct fixtrace_error **error);

// The stacks in a file as JSON, a line of fixtrace.trace/1 for each: of the tasks of a kernel, if it is a dump or a
// snapshot, the one that crashed first; of the threads of a process, if it is a core. If `user` is not 0, those of a
// kernel go on in user mode. What is missing is said by fixtrace_noticed.
//
// Errors: where the file cannot be read or is none of these, its images are not found, or are proved to be others.
struct fixtrace_text *fixtrace_stacks(const struct fixtrace_session *session,
                                      const char *file,
                                      int user,
                                      struct fixtrace_error **error);

// The log `text` of `length` bytes, with what is true of the reports in it: deleting what was added gives it back.
//
// Errors: "wrong-image" where the log proves that the vmlinux is another one, unless the options force it.
struct fixtrace_text *fixtrace_annotate(const struct fixtrace_session *session,
                                        const char *text,
                                        size_t length,
                                        struct fixtrace_error **error);

// The reports in the log `text` of `length` bytes as JSON, a line of fixtrace.oops/1 for each. Without a session (NULL)
// they are told without any image. `name` is what the log is called in them; it may be NULL.
//
// Errors: as fixtrace_annotate.
struct fixtrace_text *fixtrace_reports(const struct fixtrace_session *session,
                                       const char *text,
                                       size_t length,
                                       const char *name,
                                       struct fixtrace_error **error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FIXTRACE_H */
