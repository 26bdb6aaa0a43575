/** What files that are no text begin with. */

/** Offset and bytes; the bytes are Latin-1. */
type Magic = readonly [offset: number, bytes: string, kind: string]

/** Those that sniffing goes on with are single words; the others are how a person would call them. */
const MAGIC: readonly Magic[] = [
  [0, 'PK\x03\x04', 'zip'],
  [0, 'PK\x05\x06', 'zip'],
  [0, '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', 'cfb'],
  [0, 'PAR1', 'parquet'],
  [0, 'PARE', 'an encrypted Parquet file'],
  [0, '{\\rtf', 'an RTF document (save it as .docx or PDF)'],
  [0, '%!PS', 'a PostScript file (save it as PDF)'],
  [0, '\x89PNG\r\n', 'a PNG image'],
  [0, '\xff\xd8\xff', 'a JPEG image'],
  [0, 'GIF87a', 'a GIF image'],
  [0, 'GIF89a', 'a GIF image'],
  [0, 'II*\0', 'a TIFF image'],
  [0, 'MM\0*', 'a TIFF image'],
  [0, '\0\0\x01\0', 'an icon'],
  [0, '8BPS', 'a Photoshop image'],
  [8, 'WEBP', 'a WebP image'],
  [8, 'WAVE', 'a WAV sound'],
  [8, 'AVI ', 'an AVI video'],
  [4, 'ftyp', 'an MP4, HEIC or AVIF file'],
  [0, '\x1aE\xdf\xa3', 'a Matroska or WebM video'],
  [0, 'OggS', 'an Ogg file'],
  [0, 'fLaC', 'a FLAC sound'],
  [0, 'ID3', 'an MP3 sound'],
  [0, '\x7fELF', 'an executable'],
  [0, 'MZ', 'a Windows executable'],
  [0, '\xca\xfe\xba\xbe', 'Java bytecode or an executable'],
  [0, '\xcf\xfa\xed\xfe', 'an executable'],
  [0, '\0asm', 'WebAssembly'],
  [0, '\x1f\x8b', 'a gzip archive (unpack it and bring in what it holds)'],
  [0, 'BZh', 'a bzip2 archive (unpack it and bring in what it holds)'],
  [0, '\xfd7zXZ\0', 'an xz archive (unpack it and bring in what it holds)'],
  [0, '\x28\xb5\x2f\xfd', 'a Zstandard archive (unpack it and bring in what it holds)'],
  [0, "7z\xbc\xaf'\x1c", 'a 7z archive (unpack it and bring in what it holds)'],
  [0, 'Rar!\x1a\x07', 'a RAR archive (unpack it and bring in what it holds)'],
  [257, 'ustar', 'a tar archive (unpack it and bring in what it holds)'],
  [0, 'SQLite format 3\0', 'an SQLite database'],
  [0, 'ORC', 'an ORC file'],
  [0, 'Obj\x01', 'an Avro file'],
  [0, 'ARROW1', 'an Arrow file'],
  [0, 'wOFF', 'a font'],
  [0, 'wOF2', 'a font'],
  [0, 'OTTO', 'a font'],
]

/** With so few letters a text may begin as well: only binary data has a zero byte near them. */
const WEAK_BYTES = 3
/** A PDF may have something before its head (ISO 32000-1, annex H.3.4.1). */
const PDF_HEAD_BYTES = 1024

/** `zip`, `cfb`, `pdf`, `parquet`, or the name of something else; undefined when it may be text. */
export function binaryKind(head: Uint8Array): string | undefined {
  const start = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1')
  const found = MAGIC.find(([offset, bytes]) => {
    if (!start.startsWith(bytes, offset)) return false
    return bytes.length > WEAK_BYTES || /[^ -~]/.test(bytes) || start.includes('\0')
  })
  if (found !== undefined) return found[2]
  const at = start.slice(0, PDF_HEAD_BYTES).indexOf('%PDF-')
  // A text may speak of the mark; a PDF that has something before its head has binary data after it.
  return at === 0 || (at > 0 && /[\0\x80-\xff]/.test(start)) ? 'pdf' : undefined
}
