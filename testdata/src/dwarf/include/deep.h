/* Calls inlined four levels deep, with loops and blocks of their own. */
#ifndef DEEP_H
#define DEEP_H

struct sink {
	int count;
	int last[4];
};

extern volatile int input, output;
extern struct sink sink;

void complain(int why, int value);

static inline __attribute__((always_inline)) int level4(int x)
{
	output = x;
	return input ^ x;
}

static inline __attribute__((always_inline)) int level3(int x)
{
	int sum = 0;

	for (int i = 0; i < 3; i++) {
		int y = level4(x + i);

		if (y > 100) {
			int z = y - input;
			sum += z;
		}
	}
	return sum;
}

static inline __attribute__((always_inline)) int level2(int x)
{
	int y = level3(x);

	if (__builtin_expect(y < 0, 0)) {
		complain(2, level4(y));
		return input;
	}
	return y + level4(y);
}

static inline __attribute__((always_inline)) int level1(int x)
{
	return level2(x) + level2(x + 1);
}

static inline void put(struct sink *s, int value)
{
	s->last[s->count & 3] = value;
	s->count++;
}

#endif
