import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiClient, path, queryString } from './client';
import { Problem } from './problem';

const json = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': status < 400 ? 'application/json' : 'application/problem+json', ...headers },
  });

const server = vi.fn<typeof fetch>();
const sent = (call: number) => {
  const [url, init] = server.mock.calls[call]!;
  return { url, method: init!.method, headers: init!.headers as Headers, body: init!.body };
};

beforeEach(() => vi.stubGlobal('fetch', server));
afterEach(() => server.mockReset());

describe('the client', () => {
  it('sends the token against forged requests with changes only', async () => {
    server.mockImplementation(async () => json(200, {}));
    const client = new ApiClient();
    client.csrfToken = 'token';
    await client.get('/api/keys', { search: 'a b', include_revoked: false, by: ['day', 'model'], team: '' });
    await client.post('/api/keys', { name: 'x' });
    expect(sent(0).url).toBe('/api/keys?search=a+b&by=day&by=model');
    expect(sent(0).headers.has('x-csrf-token')).toBe(false);
    expect(sent(1).headers.get('x-csrf-token')).toBe('token');
    expect(sent(1).body).toBe('{"name":"x"}');
  });

  it('names the state that is changed, and tells a stale one', async () => {
    server.mockResolvedValue(json(412, { code: 'conflict', detail: 'changed', request_id: 'r1' }));
    const refused = await new ApiClient().patch('/api/keys/k', 'e1', {}).catch((error: unknown) => error);
    expect(sent(0).headers.get('if-match')).toBe('"e1"');
    expect(refused).toBeInstanceOf(Problem);
    expect(refused).toMatchObject({ stale: true, code: 'conflict', requestId: 'r1' });
  });

  it('asks once to sign in again, and repeats all that were refused with the new token', async () => {
    const client = new ApiClient();
    client.csrfToken = 'old';
    let signedIn = false;
    server.mockImplementation(async () => (signedIn ? json(200, { ok: true }) : json(401, {})));
    client.signInAgain = vi.fn(async () => {
      await Promise.resolve();
      signedIn = true;
      client.csrfToken = 'new';
    });
    const answers = await Promise.all([
      client.post('/api/keys', { name: 'typed' }),
      client.get('/api/teams'),
    ]);
    expect(answers).toEqual([{ ok: true }, { ok: true }]);
    expect(client.signInAgain).toHaveBeenCalledTimes(1);
    const repeated = [2, 3].map(sent).find(call => call.method === 'POST')!;
    expect(repeated.headers.get('x-csrf-token')).toBe('new');
    expect(repeated.body).toBe('{"name":"typed"}');
  });

  it('does not ask when it is refused again, when nobody is there, or for who is signed in', async () => {
    server.mockImplementation(async () => json(401, { code: 'unauthenticated' }));
    const client = new ApiClient();
    await expect(client.get('/api/keys')).rejects.toMatchObject({ status: 401 });
    client.signInAgain = vi.fn(async () => undefined);
    await expect(client.json('GET', '/api/session', { anonymous: true })).rejects.toMatchObject({
      status: 401,
    });
    expect(client.signInAgain).not.toHaveBeenCalled();
    await expect(client.get('/api/keys')).rejects.toMatchObject({ status: 401 });
    expect(client.signInAgain).toHaveBeenCalledTimes(1);
  });

  it('does not take what an entry says of an API key for the end of the session', async () => {
    const body = { error: { message: 'This key is revoked.', code: 'unauthenticated' } };
    server.mockResolvedValue(json(401, body, { 'content-type': 'application/json' }));
    const client = new ApiClient();
    client.signInAgain = vi.fn(async () => undefined);
    await expect(client.post('/api/playground/chat/completions')).rejects.toThrow('This key is revoked.');
    expect(client.signInAgain).not.toHaveBeenCalled();
  });

  it('asks anew after somebody would not sign in', async () => {
    server.mockImplementation(async () => json(401, {}));
    const client = new ApiClient();
    client.signInAgain = vi.fn(() => Promise.reject(new Error('left')));
    await expect(client.get('/api/keys')).rejects.toThrow('left');
    await expect(client.get('/api/keys')).rejects.toThrow('left');
    expect(client.signInAgain).toHaveBeenCalledTimes(2);
  });

  it('says that nothing answered', async () => {
    server.mockRejectedValue(new TypeError('Failed to fetch'));
    await expect(new ApiClient().get('/api/keys')).rejects.toMatchObject({ status: 0, away: true });
  });

  it('reads a failure that is no JSON, and what its headers say', async () => {
    server.mockResolvedValue(
      new Response('<html>', { status: 503, headers: { 'retry-after': '7', 'x-request-id': 'r2' } }),
    );
    const refused = await new ApiClient().get('/api/usage').catch((error: unknown) => error);
    expect(refused).toMatchObject({ status: 503, away: true, retryAfter: 7, requestId: 'r2' });
  });

  it('knows that nothing comes with 204', async () => {
    server.mockResolvedValue(new Response(null, { status: 204 }));
    await expect(new ApiClient().delete('/api/session')).resolves.toBeUndefined();
  });
});

describe('addresses', () => {
  it('encode what comes from outside', () => {
    expect(path`/api/secrets/${'llm/openai?x'}:rotate`).toBe('/api/secrets/llm%2Fopenai%3Fx:rotate');
    expect(queryString({})).toBe('');
  });
});
