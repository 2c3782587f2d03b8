/* The function behind an address; here a fixup that four functions share. */
#include <fixtrace.h>
#include <stdio.h>

int main(void)
{
	fixtrace_error *error;
	fixtrace_options *options = fixtrace_options_new();
	fixtrace_options_vmlinux(options, "testdata/fixtures/demo-5.10.elf");
	fixtrace_session *session = fixtrace_open(options, &error);
	fixtrace_frames *found = session ? fixtrace_attribute(session, 0xffffffff81538e19, 0, &error) : NULL;
	if (found) {
		const fixtrace_frame *frame = found->frames[0];
		printf("%s, %s\n", frame->text, frame->certainty);
		for (size_t i = 0; i < frame->candidate_count; i++)
			printf("it may be %s\n", frame->candidates[i]);
	} else {
		fprintf(stderr, "%s\n", fixtrace_error_message(error));
	}
	fixtrace_error_free(error);
	fixtrace_frames_free(found);
	fixtrace_session_free(session);
	fixtrace_options_free(options);
	return !found;
}
