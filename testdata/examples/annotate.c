/* A log with what is true of the reports in it. */
#include <fixtrace.h>
#include <stdio.h>

static char log[1 << 20];

int main(void)
{
	FILE *file = fopen("testdata/oops/5.10-copy-user.txt", "rb");
	size_t size = file ? fread(log, 1, sizeof log, file) : 0;
	if (file)
		fclose(file);
	fixtrace_error *error;
	fixtrace_options *options = fixtrace_options_new();
	fixtrace_options_vmlinux(options, "testdata/fixtures/demo-5.10.elf");
	fixtrace_session *session = fixtrace_open(options, &error);
	fixtrace_text *text = session ? fixtrace_annotate(session, log, size, &error) : NULL;
	if (text)
		fwrite(text->bytes, 1, text->length, stdout);
	else
		fprintf(stderr, "%s\n", fixtrace_error_message(error));
	fixtrace_error_free(error);
	fixtrace_text_free(text);
	fixtrace_session_free(session);
	fixtrace_options_free(options);
	return !text;
}
