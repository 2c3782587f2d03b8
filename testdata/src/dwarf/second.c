/* The second unit: shares headers with the first, and has a function that LTO inlines there. */
#include "deep.h"

int shared(int x)
{
	int y = level4(x);

	if (y & 2)
		y = level2(y);
	return y;
}

__attribute__((noinline)) void other(int x)
{
	switch (x & 7) {
	case 0:
		put(&sink, level4(x));
		break;
	case 1:
		put(&sink, x); output = level4(x);
		break;
	case 2:
		complain(5, level3(x));
		break;
	default:
		output = x;
	}
}
