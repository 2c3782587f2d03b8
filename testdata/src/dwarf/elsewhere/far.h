/* A header outside the build directory. */
static inline __attribute__((always_inline)) int far_away(int x)
{
	if (x & 1)
		output = x * 3;
	return x + input;
}
