// Keeps the header-only target alive for build systems that want an object file.
#include "CLanes.h"
