#include "deep.h"
#include "far.h"
#include "near.h"

int path_dotted(int x)
{
	return level4(x) + far_away(x) + nearby(x);
}
