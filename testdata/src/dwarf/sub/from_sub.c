#include "deep.h"
#include "far.h"
#include "near.h"

int path_from_sub(int x)
{
	return level4(x) + far_away(x) + nearby(x);
}
