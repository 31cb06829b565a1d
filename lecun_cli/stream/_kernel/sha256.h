/* SHA-256 (FIPS 180-4) of two messages at once, if the processor has instructions for it.
 *
 * Each round waits for the one before, so one message leaves most of the processor idle, and two messages take the time
 * of one. The file and its tensor are two such messages with the same bytes. */
#ifndef LECUN_SHA256_H
#define LECUN_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_NBYTES 32
#define SHA256_BLOCK 64

typedef struct {
    uint32_t words[8];
    uint64_t nbytes;                   /* number of bytes taken so far */
    unsigned char rest[SHA256_BLOCK];  /* the last nbytes % 64 bytes, which do not fill a block yet */
} sha256;

/* Returns whether the functions below may be called on this processor. */
int sha256_available(void);

void sha256_begin(sha256 *digest);

/* Takes bytes for both messages, or only for `a` if `b` is NULL. */
void sha256_take(sha256 *a, sha256 *b, const unsigned char *data, size_t nbytes);

/* Finishes a digest; its state is not valid afterwards. */
void sha256_end(sha256 *digest, unsigned char out[SHA256_NBYTES]);

#endif
