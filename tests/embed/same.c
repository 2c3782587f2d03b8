/*
 * Prints what the program prints, as JSON: the frame at a place, a stack out of bytes, the reports of a log, the stacks of
 * a file. `run` compares.
 *
 *   same VMLINUX frame PLACE | stack BYTES AT RIP RSP | reports LOG | alone LOG | stacks FILE
 */
#include <fixtrace.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct piece {
	uint64_t at;
	size_t size;
	char bytes[1 << 20];
};

static struct piece piece;

static int read_piece(void *context, uint64_t address, void *buffer, size_t length)
{
	const struct piece *p = context;
	uint64_t from = address - p->at;
	if (from > p->size || length > p->size - from)
		return 1;
	memcpy(buffer, p->bytes + from, length);
	return 0;
}

static void load(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		exit(2);
	piece.size = fread(piece.bytes, 1, sizeof piece.bytes, file);
	fclose(file);
}

static uint64_t hex(const char *text)
{
	return strtoull(text, NULL, 16);
}

static fixtrace_text *frames(const fixtrace_session *session, const char *place, fixtrace_error **error)
{
	fixtrace_frames *found = fixtrace_find(session, place, error);
	fixtrace_text *text = found ? fixtrace_frame_json(found->frames[0], error) : NULL;
	fixtrace_frames_free(found);
	return text;
}

static fixtrace_text *stack(const fixtrace_session *session, char **words, fixtrace_error **error)
{
	fixtrace_regs regs = { .known = FIXTRACE_RIP | FIXTRACE_RSP, .rip = hex(words[2]), .rsp = hex(words[3]) };
	load(words[0]);
	piece.at = hex(words[1]);
	fixtrace_stack *found = fixtrace_unwind(session, &regs, 0, read_piece, &piece, 0, error);
	/* What it is of may be gone. */
	fixtrace_text *text = found ? fixtrace_stack_json(found, error) : NULL;
	fixtrace_stack_free(found);
	return text;
}

int main(int count, char **words)
{
	fixtrace_error *error = NULL;
	fixtrace_text *text = NULL;
	if (count < 4)
		return 2;
	fixtrace_options *options = fixtrace_options_new();
	fixtrace_options_vmlinux(options, words[1]);
	fixtrace_session *session = fixtrace_open(options, &error);
	if (session && !strcmp(words[2], "frame"))
		text = frames(session, words[3], &error);
	if (session && !strcmp(words[2], "stack") && count == 7)
		text = stack(session, words + 3, &error);
	if (session && !strcmp(words[2], "reports")) {
		load(words[3]);
		text = fixtrace_reports(session, piece.bytes, piece.size, words[3], &error);
	}
	if (session && !strcmp(words[2], "alone")) {
		load(words[3]);
		text = fixtrace_reports(NULL, piece.bytes, piece.size, words[3], &error);
	}
	if (session && !strcmp(words[2], "stacks"))
		text = fixtrace_stacks(session, words[3], 0, &error);
	if (text) {
		fwrite(text->bytes, 1, text->length, stdout);
		if (text->length && text->bytes[text->length - 1] != '\n')
			putchar('\n');
	} else {
		fprintf(stderr, "%s: %s\n", fixtrace_error_kind(error), fixtrace_error_message(error));
	}
	fixtrace_text_free(text);
	fixtrace_error_free(error);
	fixtrace_session_free(session);
	fixtrace_options_free(options);
	return !text;
}
