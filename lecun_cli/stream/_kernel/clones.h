/* Functions that are compiled several times; the loader selects the best variant for the processor. */
#ifndef LECUN_CLONES_H
#define LECUN_CLONES_H

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(LECUN_NO_CLONES)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif

#endif
