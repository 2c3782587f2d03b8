/* Beside the file that includes it. */
static inline __attribute__((always_inline)) int nearby(int x)
{
	output = x + 1;
	return input;
}
