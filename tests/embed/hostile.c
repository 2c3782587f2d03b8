/* What callers do wrong, and many threads at once: every answer is one, or an error, and nothing leaks. */
#include <fixtrace.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VMLINUX "testdata/fixtures/demo-5.10.elf"
#define THREADS 8

/* The last call failed with an error of that kind, which is freed. */
#define FAILS(call, wanted) fails((call) == NULL, &error, wanted, #call)
#define HOLDS(what) holds(what, #what)

static void holds(int what, const char *text)
{
	if (!what) {
		fprintf(stderr, "not so: %s\n", text);
		exit(1);
	}
}

static void fails(int null, fixtrace_error **error, const char *wanted, const char *call)
{
	holds(null && *error, call);
	if (strcmp(fixtrace_error_kind(*error), wanted)) {
		fprintf(stderr, "%s: %s: %s\n", call, fixtrace_error_kind(*error), fixtrace_error_message(*error));
		exit(1);
	}
	holds(fixtrace_error_message(*error)[0] != 0, call);
	fixtrace_error_free(*error);
	*error = NULL;
}

static int refuses(void *context, uint64_t address, void *buffer, size_t length)
{
	(void)address;
	memset(buffer, 0xff, length);
	++*(int *)context;
	return -1;
}

/* Endless memory, in which every word is the address of the next, or of code. */
static int lies(void *context, uint64_t address, void *buffer, size_t length)
{
	unsigned char *bytes = buffer;
	(void)context;
	for (size_t i = 0; i < length; i++) {
		uint64_t at = address + i, word = (at & 8) ? 0xffffffff81c01c8f : (at & ~7ull) + 16;
		bytes[i] = (unsigned char)(word >> (at % 8 * 8));
	}
	return 0;
}

static fixtrace_session *open_with(const char *vmlinux, fixtrace_error **error)
{
	fixtrace_options *options = fixtrace_options_new();
	fixtrace_options_vmlinux(options, vmlinux);
	fixtrace_session *session = fixtrace_open(options, error);
	fixtrace_options_free(options);
	return session;
}

static void nothing(void)
{
	fixtrace_error_free(NULL);
	fixtrace_text_free(NULL);
	fixtrace_options_free(NULL);
	fixtrace_session_free(NULL);
	fixtrace_images_free(NULL);
	fixtrace_frames_free(NULL);
	fixtrace_stack_free(NULL);
	HOLDS(fixtrace_session_clone(NULL) == NULL);
	HOLDS(!strcmp(fixtrace_error_kind(NULL), "") && !strcmp(fixtrace_error_message(NULL), ""));
	HOLDS(fixtrace_version()[0] != 0);
	fixtrace_options_vmlinux(NULL, VMLINUX);
	fixtrace_options_limit(NULL, NULL, 0);
}

static void wrong_options(void)
{
	static const char *const nowhere[] = { "/does/not/exist", "", "/", "testdata/oops/6.12-null.txt", "\xff\xfe" };
	fixtrace_error *error = NULL;
	FAILS(fixtrace_open(NULL, &error), "argument");
	FAILS(fixtrace_session_new(NULL, &error), "argument");
	HOLDS(fixtrace_open(NULL, NULL) == NULL);
	for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++) {
		HOLDS(open_with(nowhere[i], &error) == NULL && error);
		fixtrace_error_free(error);
	}
	FAILS(open_with(NULL, &error), "argument");
	FAILS(open_with("/does/not/exist", &error), "io");

	fixtrace_options *options = fixtrace_options_new();
	FAILS(fixtrace_open(options, &error), "no-image");
	fixtrace_options_release(options, "9.9.9-none");
	fixtrace_options_debug_dir(options, "/does/not/exist");
	FAILS(fixtrace_open(options, &error), "not-found");
	fixtrace_options_limit(options, "patience", 1);
	/* What was wrong first is said. */
	fixtrace_options_release(options, "\xff");
	HOLDS(fixtrace_open(options, &error) == NULL && strstr(fixtrace_error_message(error), "patience"));
	fixtrace_error_free(error);
	fixtrace_options_free(options);

	options = fixtrace_options_new();
	fixtrace_options_release(options, "\xff");
	FAILS(fixtrace_session_new(options, &error), "argument");
	fixtrace_options_free(options);
}

static void wrong_arguments(const fixtrace_session *session)
{
	fixtrace_error *error = NULL;
	fixtrace_regs regs = { .known = FIXTRACE_RIP | FIXTRACE_RSP };
	fixtrace_frame empty = { .whole = NULL };
	fixtrace_stack none = { .whole = NULL };
	int calls = 0;
	FAILS(fixtrace_attribute(NULL, 0, 0, &error), "argument");
	FAILS(fixtrace_attribute_called(NULL, 0, 0, 0, &error), "argument");
	FAILS(fixtrace_find(NULL, "0", &error), "argument");
	FAILS(fixtrace_find(session, NULL, &error), "argument");
	FAILS(fixtrace_find(session, "\xc3(", &error), "argument");
	FAILS(fixtrace_find(session, "no_such_symbol+0x1", &error), "unknown-symbol");
	FAILS(fixtrace_find(session, "", &error), "unknown-symbol");
	FAILS(fixtrace_frame_json(NULL, &error), "argument");
	FAILS(fixtrace_frame_json(&empty, &error), "argument");
	FAILS(fixtrace_stack_json(NULL, &error), "argument");
	FAILS(fixtrace_stack_json(&none, &error), "argument");
	FAILS(fixtrace_noticed(NULL, &error), "argument");
	FAILS(fixtrace_session_images(NULL, &error), "argument");
	FAILS(fixtrace_unwind(NULL, &regs, 0, refuses, &calls, 0, &error), "argument");
	FAILS(fixtrace_unwind(session, NULL, 0, refuses, &calls, 0, &error), "argument");
	FAILS(fixtrace_unwind(session, &regs, 0, NULL, NULL, 0, &error), "argument");
	regs.known = FIXTRACE_RIP;
	FAILS(fixtrace_unwind(session, &regs, 0, refuses, &calls, 0, &error), "argument");
	regs.known = ~(uint64_t)0;
	FAILS(fixtrace_unwind(session, &regs, 0, refuses, &calls, 0, &error), "argument");
	HOLDS(calls == 0);
	FAILS(fixtrace_annotate(NULL, "", 0, &error), "argument");
	FAILS(fixtrace_annotate(session, NULL, 1, &error), "argument");
	FAILS(fixtrace_annotate(session, "", (size_t)-1, &error), "argument");
	FAILS(fixtrace_reports(session, NULL, 1, NULL, &error), "argument");
	FAILS(fixtrace_reports(NULL, "", 0, "\xff", &error), "argument");
	FAILS(fixtrace_stacks(NULL, VMLINUX, 0, &error), "argument");
	FAILS(fixtrace_stacks(session, NULL, 0, &error), "argument");
	FAILS(fixtrace_stacks(session, "/does/not/exist", 1, &error), "io");
	/* Nobody wants the error. */
	HOLDS(fixtrace_stacks(session, VMLINUX, 0, NULL) == NULL);
	HOLDS(fixtrace_find(session, NULL, NULL) == NULL);
}

static void odd_answers(const fixtrace_session *session)
{
	static const char garbage[] = "BUG: \0\xff\xfe kernel\nRIP: 0010:\x80+0x\n Call Trace:\n \x01 ? f+0x1/0x0 [\xff]\n";
	fixtrace_error *error = (fixtrace_error *)-1;
	fixtrace_regs regs = { .known = FIXTRACE_ALL_REGS, .rip = 0xffffffff81c01c8f, .rsp = 0xffffc90000167e78, .cs = 0x10 };
	fixtrace_stack *stack;
	fixtrace_text *text;
	int calls = 0;
	fixtrace_frames *frames = fixtrace_attribute(session, 0, 1, &error);
	HOLDS(frames && !error && frames->count == 1 && frames->frames[0]->pc == 0 && frames->frames[0]->is_return);
	HOLDS(!frames->frames[0]->image && frames->frames[0]->address == FIXTRACE_UNKNOWN && !frames->frames[0]->candidates);
	fixtrace_frames_free(frames);
	frames = fixtrace_attribute_called(session, UINT64_MAX, 0, 0, NULL);
	HOLDS(frames && !strcmp(frames->frames[0]->basis, "none"));
	fixtrace_frames_free(frames);

	stack = fixtrace_unwind(session, &regs, 0, refuses, &calls, 0, NULL);
	HOLDS(stack && calls > 0 && !strcmp(stack->stop, "unreadable") && stack->frame_count == 1);
	HOLDS(stack->reliable == 0 && stack->reliable_why && !stack->complete && stack->complete_why);
	HOLDS(stack->function_count == 1 && !strcmp(stack->functions[0]->why, "fixup"));
	HOLDS(stack->frames[0]->origin_count && stack->frames[0]->origins[0]->evidence_count);
	fixtrace_stack_free(stack);
	stack = fixtrace_unwind(session, &regs, 1, lies, NULL, 10, NULL);
	HOLDS(stack && stack->frame_count <= 10);
	fixtrace_stack_free(stack);
	regs.rsp = UINT64_MAX - 3;
	stack = fixtrace_unwind(session, &regs, 0, lies, NULL, UINT32_MAX, NULL);
	HOLDS(stack != NULL);
	fixtrace_stack_free(stack);

	text = fixtrace_annotate(session, garbage, sizeof garbage - 1, NULL);
	HOLDS(text && text->length >= sizeof garbage - 1 && text->bytes[text->length] == 0);
	fixtrace_text_free(text);
	text = fixtrace_annotate(session, NULL, 0, NULL);
	HOLDS(text && text->length == 0 && text->bytes[0] == 0);
	fixtrace_text_free(text);
	text = fixtrace_reports(NULL, garbage, sizeof garbage - 1, NULL, NULL);
	HOLDS(text && strlen(text->bytes) == text->length);
	fixtrace_text_free(text);
}

static void *ask(void *given)
{
	fixtrace_session *session = given;
	for (uint64_t i = 0; i < 64; i++) {
		fixtrace_frames *frames = fixtrace_attribute(session, 0xffffffff81c01c8f + i % 8, 0, NULL);
		fixtrace_frames *found = fixtrace_find(session, "no_such_symbol", NULL);
		fixtrace_text *json = frames ? fixtrace_frame_json(frames->frames[0], NULL) : NULL;
		fixtrace_text *noticed = fixtrace_noticed(session, NULL);
		if (!json || found || !noticed)
			return NULL;
		fixtrace_text_free(noticed);
		fixtrace_text_free(json);
		fixtrace_frames_free(frames);
	}
	fixtrace_session_free(session);
	return given;
}

static void threads(const fixtrace_session *session)
{
	pthread_t all[THREADS];
	for (int i = 0; i < THREADS; i++)
		HOLDS(pthread_create(&all[i], NULL, ask, fixtrace_session_clone(session)) == 0);
	for (int i = 0; i < THREADS; i++) {
		void *done;
		HOLDS(pthread_join(all[i], &done) == 0 && done);
	}
}

int main(void)
{
	nothing();
	wrong_options();
	fixtrace_session *session = open_with(VMLINUX, NULL);
	HOLDS(session != NULL);
	wrong_arguments(session);
	odd_answers(session);
	threads(session);
	fixtrace_images *images = fixtrace_session_images(session, NULL);
	fixtrace_frames *frames = fixtrace_attribute(session, 0xffffffff81538e19, 0, NULL);
	/* What was answered outlives the session. */
	fixtrace_session_free(session);
	HOLDS(images && images->count == 1 && !strcmp(images->images[0]->name, "vmlinux"));
	HOLDS(!strcmp(images->images[0]->path, VMLINUX) && images->images[0]->slide == 0);
	HOLDS(frames && frames->frames[0]->candidate_count == 4 && !frames->frames[0]->function);
	HOLDS(!strcmp(frames->frames[0]->certainty, "ambiguous"));
	fixtrace_images_free(images);
	fixtrace_frames_free(frames);
	puts("nothing amiss");
	return 0;
}
