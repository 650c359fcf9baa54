import type { Services } from '../services.ts';
import { backgroundCommand } from './backgroundCommand.ts';
import { cancelCommand } from './cancelCommand.ts';
import { closeSession } from './closeSession.ts';
import { createEnrolmentToken } from './createEnrolmentToken.ts';
import { downloadFile } from './downloadFile.ts';
import { enrolDevice } from './enrolDevice.ts';
import { getCommand } from './getCommand.ts';
import { getDevice } from './getDevice.ts';
import { getKeys } from './getKeys.ts';
import { getOpenApi } from './getOpenApi.ts';
import { getReadiness } from './getReadiness.ts';
import { getSession } from './getSession.ts';
import { issueCommand } from './issueCommand.ts';
import { issueDeviceToken } from './issueDeviceToken.ts';
import { deleteFile, downloadLibraryFile, getLibraryFile, listLibraryFiles } from './libraryFiles.ts';
import { completeLibraryUpload, createLibraryUpload, getLibraryUpload } from './libraryUploads.ts';
import { listCommands } from './listCommands.ts';
import { listDevices } from './listDevices.ts';
import { listFiles } from './listFiles.ts';
import { listSessions } from './listSessions.ts';
import { openSession } from './openSession.ts';
import { putLibraryFile } from './putLibraryFile.ts';
import { readEvents } from './readEvents.ts';
import { readOutput } from './readOutput.ts';
import { retireDevice } from './retireDevice.ts';
import type { Route } from './route.ts';
import { changeSettings, getSettings } from './settings.ts';
import { distrustSigner, trustSigner } from './signers.ts';

export const routes = (services: Services): readonly Route[] => [
  backgroundCommand(services),
  cancelCommand(services),
  changeSettings(services),
  closeSession(services),
  completeLibraryUpload(services),
  createEnrolmentToken(services),
  createLibraryUpload(services),
  deleteFile(services),
  distrustSigner(services),
  downloadFile(services),
  downloadLibraryFile(services),
  enrolDevice(services),
  getCommand(services),
  getDevice(services),
  getKeys(services),
  getLibraryFile(services),
  getLibraryUpload(services),
  getOpenApi(),
  getReadiness(services),
  getSession(services),
  getSettings(services),
  issueCommand(services),
  issueDeviceToken(services),
  listCommands(services),
  listDevices(services),
  listFiles(services),
  listLibraryFiles(services),
  listSessions(services),
  openSession(services),
  putLibraryFile(services),
  readEvents(services),
  readOutput(services),
  retireDevice(services),
  trustSigner(services),
];
