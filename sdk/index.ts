export type {
  CollectedFile,
  CommandResource,
  DeviceResource,
  FileDownload,
  LibraryFile,
  Problem,
  SessionResource,
  SessionSummary,
} from '../contracts/http.ts';
export { type ClientOptions, LiveResponseClient } from './client.ts';
export type { DownloadOptions } from './download.ts';
export { ApiError, ConnectionError, DownloadError, UnexpectedAnswerError, UploadError } from './errors.ts';
export type { AddLibraryFileOptions } from './libraryUpload.ts';
export type { RetryPolicy } from './retry.ts';
export { commandEnds, type RunCommandOptions } from './runCommand.ts';
export type { Envelope, FollowOptions } from './sessionEvents.ts';
