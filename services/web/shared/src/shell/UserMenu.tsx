import { Menu, Text, UnstyledButton, useMantineColorScheme, VisuallyHidden } from '@mantine/core';
import { ArrowUpRight, Check, ChevronsUpDown, LogOut, Monitor, Moon, Sun, UserRound } from 'lucide-react';
import { useMutation } from '@tanstack/react-query';
import { Link } from 'react-router';
import { roleName } from '../display/roles';
import { signOut, useInfo, useSession } from '../session/session';
import classes from './Shell.module.css';

const SCHEMES = [
  { value: 'auto', label: 'Colours of the system', Icon: Monitor },
  { value: 'light', label: 'Light', Icon: Sun },
  { value: 'dark', label: 'Dark', Icon: Moon },
] as const;

/** Who is signed in, the look of the pages, and the way out. */
export function UserMenu({ otherLabel }: { otherLabel: string }) {
  const session = useSession();
  const info = useInfo();
  const leave = useMutation({ mutationFn: signOut });
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <Menu position="top-start" width={232}>
      <Menu.Target>
        <UnstyledButton className={classes.user}>
          <span className={classes.avatar} aria-hidden>
            {session.name.slice(0, 1)}
          </span>
          <span className={classes.name}>
            <Text component="span" display="block" fw={500} truncate>
              {session.name}
            </Text>
            <Text component="span" display="block" size="xs" c="dimmed">
              {roleName(session.role)}
            </Text>
          </span>
          <ChevronsUpDown size={15} aria-hidden />
          <VisuallyHidden>Account menu</VisuallyHidden>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        {SCHEMES.map(({ value, label, Icon }) => (
          <Menu.Item
            key={value}
            leftSection={<Icon size={16} />}
            rightSection={colorScheme === value && <Check size={15} aria-label="chosen" />}
            closeMenuOnClick={false}
            onClick={() => setColorScheme(value)}
          >
            {label}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item component={Link} to="/account" leftSection={<UserRound size={16} />}>
          Sessions and password
        </Menu.Item>
        {info.data?.other_url && (
          <Menu.Item component="a" href={info.data.other_url} leftSection={<ArrowUpRight size={16} />}>
            {otherLabel}
          </Menu.Item>
        )}
        <Menu.Divider />
        <Menu.Item leftSection={<LogOut size={16} />} onClick={() => leave.mutate()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
