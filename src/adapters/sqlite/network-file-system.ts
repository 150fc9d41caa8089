import { statfsSync } from 'node:fs'

/** The numbers by which Linux names file systems that several machines may see, and FUSE, behind which there may be one. */
const SHARED_TYPES = new Set([
  0x6969, // NFS
  0x517b, // SMB
  0xff534d42, // CIFS
  0xfe534d42, // SMB 2
  0x0bd00bd0, // Lustre
  0x47504653, // GPFS
  0x19830326, // BeeGFS
  0x00c36400, // Ceph
  0x5346414f, // AFS
  0x6b414653, // the kernel's AFS
  0xaad7aaea, // PanFS
  0x7461636f, // OCFS2
  0x01161970, // GFS2
  0x01021997, // 9P
  0x786f4256, // VirtualBox's shared folders
  0x65735546, // FUSE
])

/**
 * Whether other machines may see a folder, as far as the system says. Only Linux does.
 * @param folder one that is missing counts as one of this machine
 */
export function isOnNetwork(folder: string): boolean {
  if (process.platform !== 'linux') return false
  try {
    return SHARED_TYPES.has(statfsSync(folder).type)
  } catch {
    return false
  }
}
