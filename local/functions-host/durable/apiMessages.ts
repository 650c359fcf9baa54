/** A request to the management API and its answer, apart from HTTP. */
export interface ApiRequest {
  method: string;
  /** Path after the prefix. */
  path: string;
  query: URLSearchParams;
  body: Buffer;
  contentType: string;
}

export interface ApiAnswer {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}
