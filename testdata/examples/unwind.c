/* The stack of a CPU, out of bytes of one's own. */
#include <fixtrace.h>
#include <stdio.h>
#include <string.h>

static unsigned char bytes[4096];

static int read_stack(void *context, uint64_t address, void *buffer, size_t length)
{
	uint64_t from = address - 0xffffc90000167e40, size = *(size_t *)context;
	if (from > size || length > size - from)
		return 1;
	memcpy(buffer, bytes + from, length);
	return 0;
}

int main(void)
{
	FILE *file = fopen("testdata/examples/stack.bin", "rb");
	size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
	if (file)
		fclose(file);
	fixtrace_error *error;
	fixtrace_options *options = fixtrace_options_new();
	fixtrace_options_vmlinux(options, "testdata/fixtures/demo-5.10.elf");
	fixtrace_session *session = fixtrace_open(options, &error);
	fixtrace_regs regs = { .known = FIXTRACE_RIP | FIXTRACE_RSP, .rip = 0xffffffff81c01c8f, .rsp = 0xffffc90000167e78 };
	fixtrace_stack *stack = session ? fixtrace_unwind(session, &regs, 0, read_stack, &size, 0, &error) : NULL;
	for (size_t i = 0; stack && i < stack->frame_count; i++)
		printf("%s\n", stack->frames[i]->text);
	if (stack)
		printf("-- %s\n", stack->stop_detail);
	else
		fprintf(stderr, "%s\n", fixtrace_error_message(error));
	fixtrace_error_free(error);
	fixtrace_stack_free(stack);
	fixtrace_session_free(session);
	fixtrace_options_free(options);
	return !stack;
}
