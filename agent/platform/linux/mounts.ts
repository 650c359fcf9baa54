import { readFileSync } from 'node:fs';

/** Their files are made by the kernel when they are looked at: nothing is stored there, and reading may have effects. */
const virtualTypes: ReadonlySet<string> = new Set([
  'autofs',
  'binfmt_misc',
  'bpf',
  'cgroup',
  'cgroup2',
  'configfs',
  'debugfs',
  'devpts',
  'efivarfs',
  'fusectl',
  'fuse.lxcfs',
  'hugetlbfs',
  'mqueue',
  'nsfs',
  'proc',
  'pstore',
  'rpc_pipefs',
  'securityfs',
  'selinuxfs',
  'sysfs',
  'tracefs',
]);

/** Another machine holds their files: a look may hang for as long as that machine is away. */
const networkTypes: ReadonlySet<string> = new Set([
  'afs',
  'ceph',
  'cifs',
  'fuse.glusterfs',
  'fuse.s3fs',
  'fuse.sshfs',
  'glusterfs',
  'lustre',
  'ncpfs',
  'nfs',
  'nfs4',
  'smb3',
  'smbfs',
]);

/** What is mounted where; places are bytes as latin1 text. */
export interface Mounts {
  /** Why the file system mounted at a place is not searched; undefined for local files and for a place without a mount. */
  unsearched(place: string): string | undefined;
  /** Local file systems mounted upon one that is not searched: a known way to hide files. */
  searchedBelow(place: string): readonly string[];
}

export const readMounts = (mountInfo = readMountInfo()): Mounts => {
  const reasons = new Map<string, string | undefined>();
  for (const line of mountInfo.split('\n')) {
    // id parent major:minor root mountPoint options … - type source options; the optional fields before the dash vary.
    const [before = '', after = ''] = line.split(' - ');
    const place = before.split(' ')[4];
    // A later mount covers an earlier one at the same place.
    if (place !== undefined) reasons.set(unescaped(place), reasonOf(after.split(' ')[0] ?? ''));
  }
  const places = [...reasons.keys()];
  const holderOf = (place: string): string | undefined =>
    places
      .filter((other) => place.startsWith(`${other}/`))
      .reduce<string | undefined>(
        (one, other) => (other.length > (one?.length ?? 0) ? other : one),
        undefined,
      );
  return {
    unsearched: (place) => reasons.get(place),
    searchedBelow: (place) =>
      places.filter((other) => reasons.get(other) === undefined && holderOf(other) === place),
  };
};

const reasonOf = (type: string): string | undefined => {
  if (virtualTypes.has(type)) return `Not searched: virtual file system (${type}).`;
  return networkTypes.has(type) ? `Not searched: network file system (${type}).` : undefined;
};

const readMountInfo = (): string => readFileSync('/proc/self/mountinfo', 'latin1');

/** The kernel writes space, tab, newline and backslash as three octal digits. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
