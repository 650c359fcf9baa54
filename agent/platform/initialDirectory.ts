/** Where a session starts, as in Defender. Windows itself may lie on another drive; C: is there nevertheless. */
export const initialDirectory = process.platform === 'win32' ? 'C:\\' : '/';
