/* SHA-256 (FIPS 180-4) of two messages at once, where the processor has instructions for it.
 *
 * A round waits for the one before it, so one message leaves most of the processor idle: two take the time of one.
 * The file and its tensor are two such messages made of the same bytes. */
#ifndef LECUN_SHA256_H
#define LECUN_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_NBYTES 32
#define SHA256_BLOCK 64

typedef struct {
    uint32_t words[8];
    uint64_t nbytes;                   /* taken so far */
    unsigned char rest[SHA256_BLOCK];  /* the last nbytes % 64 of them, which no block holds yet */
} sha256;

/* Whether the functions below may be called here. */
int sha256_available(void);

void sha256_begin(sha256 *digest);

/* `b` may be NULL: then `a` alone takes the bytes. */
void sha256_take(sha256 *a, sha256 *b, const unsigned char *data, size_t nbytes);

/* Its digest; `digest` is of no more use. */
void sha256_end(sha256 *digest, unsigned char out[SHA256_NBYTES]);

#endif
