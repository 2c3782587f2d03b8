/* The program of most fixtures: inlined calls, blocks, cold parts. */
#include "deep.h"
#include "far.h"

volatile int input, output;
struct sink sink;

int shared(int x);
int from_assembler(int x);
void other(int x);

__attribute__((noinline, cold)) void complain(int why, int value)
{
	output = why;
	put(&sink, value);
}

__attribute__((noinline)) int blocks(int n)
{
	int total = 0;
	{
		int a = input;
		{
			int b = level2(a + n);

			total += b;
		}
	}
	if (n > 5) {
		int c = level4(n);

		total -= c;
	} else {
		int d = far_away(n);

		total += d;
	}
	return total;
}

__attribute__((noinline)) int split_in_two(int n)
{
	int x = input;

	if (__builtin_expect(x > 1000, 0)) {
		complain(1, level2(x));
		complain(3, n);
		x = level4(n);
	}
	put(&sink, x);
	if (__builtin_expect(x == n, 0)) {
		complain(4, far_away(x));
		return 0;
	}
	return x + level1(n);
}

static __attribute__((noinline)) int taken_apart(int *p, int n)
{
	if (!n)
		return *p;
	return level4(*p + n) + far_away(n);
}

__attribute__((section(".text.start"), noreturn)) void _start(void)
{
	int x = input;
	int y = taken_apart(&x, blocks(x));

	other(y);
	output = shared(y) + split_in_two(x) + from_assembler(y);
	for (;;)
		output = level4(input);
}
