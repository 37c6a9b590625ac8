import { Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation } from '@tanstack/react-query';
import { Problem } from '../api/problem';
import type { Session } from '../api/types';
import { Countdown } from './Countdown';
import { Notice } from '../feedback/Notice';
import { signIn } from './session';

interface PasswordFormProps {
  /** Who was signed in before. */
  name?: string;
  onSession: (session: Session, password: string) => void;
}

export function PasswordForm({ name, onSession }: PasswordFormProps) {
  const form = useForm({ mode: 'uncontrolled', initialValues: { name: name ?? '', password: '' } });
  const attempt = useMutation({
    mutationFn: (values: { name: string; password: string }) => signIn(values.name.trim(), values.password),
    onSuccess: (session, values) => onSession(session, values.password),
    meta: { shown: true },
  });
  return (
    <form onSubmit={form.onSubmit(values => attempt.mutate(values))}>
      <Stack gap="md">
        {attempt.error && <Refused error={attempt.error} onOver={attempt.reset} />}
        <TextInput
          label="Name"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          required
          withAsterisk={false}
          data-autofocus={name ? undefined : true}
          autoFocus={!name}
          key={form.key('name')}
          {...form.getInputProps('name')}
        />
        <PasswordInput
          label="Password"
          autoComplete="current-password"
          required
          withAsterisk={false}
          data-autofocus={name ? true : undefined}
          key={form.key('password')}
          {...form.getInputProps('password')}
        />
        <Button type="submit" size="md" loading={attempt.isPending} fullWidth>
          Sign in
        </Button>
      </Stack>
    </form>
  );
}

function Refused({ error, onOver }: { error: Error; onOver: () => void }) {
  if (!(error instanceof Problem)) return <Notice kind="error">{error.message}</Notice>;
  if (error.status === 429)
    return (
      <Notice kind="warning" title="A short pause">
        There were too many attempts that failed, so signing in is paused to protect this account.{' '}
        {error.retryAfter ? <Countdown seconds={error.retryAfter} onOver={onOver} /> : 'Try again later.'} If
        you have forgotten the password, an administrator can give you a new one.
      </Notice>
    );
  if (error.status === 401) return <Notice kind="error">The name or the password is not right.</Notice>;
  return <Notice kind="error">{error.message}</Notice>;
}
