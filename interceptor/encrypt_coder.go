package interceptor

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"fmt"
	"sync"
)

// coder encrypts and decrypts with one key. It is safe for concurrent use and
// allocates nothing once its pools are filled.
type coder interface {
	// iv is the length of the bytes in front that are fresh for each message.
	iv() int
	// size is the length of what n bytes are sealed to, the iv included.
	size(n int) int
	// possible reports whether anything is sealed to n bytes.
	possible(n int) bool
	// seal encrypts n bytes in place. b has size(n) bytes: the iv, then those to
	// encrypt, then room.
	seal(b []byte, n int)
	// open decrypts src, of a possible length, to dst, which has at least the
	// length of src, and returns the length of the result. A false says no more
	// than that it was not sealed with this key.
	open(dst, src []byte) (n int, ok bool)
}

func newCoder(c Cipher, k Key) coder {
	block, err := aes.NewCipher(k.bytes())
	if err != nil {
		panic("tribes: encrypt: a key that was checked: " + err.Error())
	}
	if c == AESCBC {
		return &cbcCoder{block: block}
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("tribes: encrypt: GCM with a block of AES: " + err.Error())
	}
	return gcmCoder{aead}
}

// gcmCoder is AES/GCM/NoPadding: 12 bytes of nonce, the ciphertext, 16 bytes of
// tag, no associated data.
type gcmCoder struct{ aead cipher.AEAD }

const (
	gcmNonce = 12
	gcmTag   = 16
)

func (gcmCoder) iv() int             { return gcmNonce }
func (gcmCoder) size(n int) int      { return gcmNonce + n + gcmTag }
func (gcmCoder) possible(n int) bool { return n >= gcmNonce+gcmTag }

func (c gcmCoder) seal(b []byte, n int) {
	text := b[gcmNonce : gcmNonce+n]
	c.aead.Seal(text[:0], b[:gcmNonce], text, nil)
}

func (c gcmCoder) open(dst, src []byte) (n int, ok bool) {
	text, err := c.aead.Open(dst[:0], src[:gcmNonce], src[gcmNonce:], nil)
	return len(text), err == nil
}

// cbcCoder is AES/CBC/PKCS5Padding: one block of iv, then the ciphertext.
type cbcCoder struct {
	block cipher.Block
	seals sync.Pool // of cbcMode
	opens sync.Pool // of cbcMode
}

// cbcMode is what the modes of the standard library offer, as crypto/tls uses it.
type cbcMode interface {
	cipher.BlockMode
	SetIV(iv []byte)
}

func (*cbcCoder) iv() int             { return aes.BlockSize }
func (*cbcCoder) size(n int) int      { return aes.BlockSize + n + padding(n) }
func (*cbcCoder) possible(n int) bool { return n >= 2*aes.BlockSize && n%aes.BlockSize == 0 }

// padding is how many bytes, each of that value, follow n others.
func padding(n int) int { return aes.BlockSize - n%aes.BlockSize }

func (c *cbcCoder) seal(b []byte, n int) {
	text := b[aes.BlockSize:]
	for i := n; i < len(text); i++ {
		text[i] = byte(padding(n))
	}
	mode := modeOf(&c.seals, c.block, cipher.NewCBCEncrypter, b[:aes.BlockSize])
	mode.CryptBlocks(text, text)
	c.seals.Put(mode)
}

func (c *cbcCoder) open(dst, src []byte) (n int, ok bool) {
	dst = dst[:len(src)-aes.BlockSize]
	mode := modeOf(&c.opens, c.block, cipher.NewCBCDecrypter, src[:aes.BlockSize])
	mode.CryptBlocks(dst, src[aes.BlockSize:])
	c.opens.Put(mode)
	return unpad(dst)
}

// modeOf takes a mode from a pool and gives it an iv.
func modeOf(p *sync.Pool, b cipher.Block, make func(cipher.Block, []byte) cipher.BlockMode, iv []byte) cbcMode {
	mode, ok := p.Get().(cbcMode)
	if ok {
		mode.SetIV(iv)
		return mode
	}
	mode, ok = make(b, iv).(cbcMode)
	if !ok {
		panic(fmt.Sprintf("tribes: encrypt: CBC of %T has no SetIV", b))
	}
	return mode
}

// unpad returns the length of b, of whole blocks, without its padding, and whether
// that is right. It takes the same time for all bytes of the last block.
func unpad(b []byte) (n int, ok bool) {
	last := int(b[len(b)-1])
	good := subtle.ConstantTimeLessOrEq(1, last) & subtle.ConstantTimeLessOrEq(last, aes.BlockSize)
	for i := 1; i <= aes.BlockSize; i++ {
		same := subtle.ConstantTimeByteEq(b[len(b)-i], byte(last))
		good &= same | subtle.ConstantTimeLessOrEq(last+1, i)
	}
	return len(b) - last*good, good == 1
}
