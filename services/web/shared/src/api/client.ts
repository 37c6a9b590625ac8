import { Problem } from './problem';

export type Query = Record<string, string | number | boolean | readonly string[] | undefined>;

export interface Options {
  query?: Query;
  body?: unknown;
  /** The state that a change is made to: sent as If-Match. */
  etag?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** A 401 is an answer, not a reason to sign in again. */
  anonymous?: boolean;
}

/** Parts of a path, percent-encoded: path`/api/keys/${id}`. */
export function path(literals: TemplateStringsArray, ...values: string[]): string {
  return literals.reduce((whole, part, at) => whole + encodeURIComponent(values[at - 1] ?? '') + part);
}

/** The query string of what is set: empty texts, false and undefined are left out; lists repeat. */
export function queryString(query: Query = {}): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (Array.isArray(value)) value.forEach(item => pairs.append(name, item));
    else if (value !== undefined && value !== '' && value !== false) pairs.append(name, String(value));
  }
  const text = pairs.toString();
  return text && `?${text}`;
}

/**
 * Calls of the backend. When the session has ended, `signInAgain` is asked once for all calls that
 * were refused, and each is then repeated: a form that is being filled in never notices.
 */
export class ApiClient {
  csrfToken = '';
  /** Resolves when somebody is signed in again; rejects when they will not. Null: nobody to ask. */
  signInAgain: (() => Promise<void>) | null = null;
  private asking: Promise<void> | null = null;

  get<T>(url: string, query?: Query, signal?: AbortSignal): Promise<T> {
    return this.json<T>('GET', url, { ...(query && { query }), ...(signal && { signal }) });
  }

  post<T>(url: string, body: unknown = {}, options: Options = {}): Promise<T> {
    return this.json<T>('POST', url, { ...options, body });
  }

  put<T>(url: string, body: unknown): Promise<T> {
    return this.json<T>('PUT', url, { body });
  }

  /** Refused with 412 when `etag` is not the current one. */
  patch<T>(url: string, etag: string, body: unknown): Promise<T> {
    return this.json<T>('PATCH', url, { body, etag });
  }

  delete<T>(url: string, query?: Query): Promise<T> {
    return this.json<T>('DELETE', url, query ? { query } : {});
  }

  async json<T>(method: string, url: string, options: Options = {}): Promise<T> {
    const response = await this.fetch(method, url, options);
    if (response.status === 204) return undefined as T;
    return (await response.json()) as T;
  }

  /** The response of a call that succeeded, for those that stream or download. */
  async fetch(method: string, url: string, options: Options = {}): Promise<Response> {
    let response = await this.attempt(method, url, options);
    if (!options.anonymous && this.signInAgain && sessionEnded(response)) {
      await this.ask();
      response = await this.attempt(method, url, options);
    }
    if (!response.ok) throw await Problem.of(response);
    return response;
  }

  private ask(): Promise<void> {
    this.asking ??= this.signInAgain!().finally(() => (this.asking = null));
    return this.asking;
  }

  private async attempt(method: string, url: string, options: Options): Promise<Response> {
    const headers = new Headers({ accept: 'application/json', ...options.headers });
    if (method !== 'GET' && this.csrfToken) headers.set('x-csrf-token', this.csrfToken);
    if (options.etag !== undefined) headers.set('if-match', `"${options.etag}"`);
    const init: RequestInit = { method, headers, credentials: 'same-origin' };
    if (options.body !== undefined) {
      headers.set('content-type', 'application/json');
      init.body = JSON.stringify(options.body);
    }
    if (options.signal) init.signal = options.signal;
    try {
      return await fetch(url + queryString(options.query), init);
    } catch (error) {
      if (error instanceof DOMException && error.name === 'AbortError') throw error;
      throw Problem.unreachable();
    }
  }
}

/** A 401 of the backend itself; one that an entry answered to the playground is about an API key. */
function sessionEnded(response: Response): boolean {
  return (
    response.status === 401 && !!response.headers.get('content-type')?.startsWith('application/problem+json')
  );
}

export const api = new ApiClient();
