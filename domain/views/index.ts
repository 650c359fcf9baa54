export { type DeviceRow, deviceView } from './deviceView.ts';
export { type JobRow, jobView } from './jobView.ts';
export { type SessionRow, sessionView } from './sessionView.ts';
export type { View } from './view.ts';
