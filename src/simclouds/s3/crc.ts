/** Castagnoli's polynomial, reflected (RFC 3720, appendix B.4). */
const CRC32C_POLYNOMIAL = 0x82f63b78
/** The polynomial of CRC-64/NVME, reflected, in halves (NVM Express NVM Command Set Specification 1.0c, figure 119). */
const CRC64_HIGH = 0x9a6c9329
const CRC64_LOW = 0xac4bc9b5

const crc32cTable = new Uint32Array(256)
const crc64High = new Uint32Array(256)
const crc64Low = new Uint32Array(256)
for (let byte = 0; byte < 256; byte += 1) fillTables(byte)

function fillTables(byte: number): void {
  let crc = byte
  let high = 0
  let low = byte
  for (let bit = 0; bit < 8; bit += 1) {
    crc = (crc & 1) === 1 ? (crc >>> 1) ^ CRC32C_POLYNOMIAL : crc >>> 1
    const isOdd = (low & 1) === 1
    low = (low >>> 1) | (high << 31)
    high >>>= 1
    if (isOdd) {
      low ^= CRC64_LOW
      high ^= CRC64_HIGH
    }
  }
  crc32cTable[byte] = crc
  crc64High[byte] = high
  crc64Low[byte] = low
}

/** CRC-32C of some bytes; four bytes, big-endian. */
export function crc32c(bytes: Uint8Array): Buffer {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crcTableAt(crc32cTable, crc ^ byte) ^ (crc >>> 8)) >>> 0
  const out = Buffer.alloc(4)
  out.writeUInt32BE((crc ^ 0xffffffff) >>> 0)
  return out
}

/** CRC-64/NVME of some bytes; eight bytes, big-endian. */
export function crc64nvme(bytes: Uint8Array): Buffer {
  let high = 0xffffffff
  let low = 0xffffffff
  for (const byte of bytes) {
    const at = low ^ byte
    low = crcTableAt(crc64Low, at) ^ ((low >>> 8) | (high << 24))
    high = crcTableAt(crc64High, at) ^ (high >>> 8)
  }
  const out = Buffer.alloc(8)
  out.writeUInt32BE((high ^ 0xffffffff) >>> 0)
  out.writeUInt32BE((low ^ 0xffffffff) >>> 0, 4)
  return out
}

function crcTableAt(table: Uint32Array, at: number): number {
  return table[at & 0xff] ?? 0
}
